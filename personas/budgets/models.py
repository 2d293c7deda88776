"""Budgets, and the notices of what they have reached. (Registered through ``personas.models``.)"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from personas.budgets.periods import Period
from worktool_ai.lib.ids import uuid7

__all__ = ["Budget", "BudgetNotice", "BudgetScope"]


class BudgetScope(models.TextChoices):
    ALL = "all", _("the whole installation")
    MODEL = "model", _("a model")
    ROBOT = "robot", _("a robot")
    ROOM = "room", _("a room")
    PERSONA = "persona", _("a persona")


#: Which field names the target of a budget of this scope.
_FIELDS = {
    BudgetScope.MODEL: "model",
    BudgetScope.ROBOT: "robot_id",
    BudgetScope.ROOM: "room_id",
    BudgetScope.PERSONA: "persona",
}


def _only(scope: str) -> models.Q:
    """The condition that a budget of this scope names its own target and no other."""
    empty = {f"{field}__isnull": _FIELDS.get(BudgetScope(scope)) != field for field in _FIELDS.values()}
    return models.Q(scope=scope, **empty)


def _one_target() -> models.Q:
    condition = models.Q()
    for scope in BudgetScope.values:
        condition |= _only(scope)
    return condition


class Budget(models.Model):
    """How much calls to remote models may cost in a day or month (China's), for one target.

    Robots and rooms belong to an upper app: plain UUIDs. A call counts in every active budget that it matches.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    scope = models.CharField(_("for"), max_length=10, choices=BudgetScope)
    model = models.ForeignKey(
        "personas.AIModel",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="budgets",
        verbose_name=_("model"),
    )
    persona = models.ForeignKey(
        "personas.Persona",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="budgets",
        verbose_name=_("persona"),
    )
    robot_id = models.UUIDField(_("robot"), null=True, blank=True)
    room_id = models.UUIDField(_("room"), null=True, blank=True)
    period = models.CharField(_("period"), max_length=10, choices=Period, default=Period.DAY)
    # nine digits before the point: in millionths they are still exact as a Lua number
    amount = models.DecimalField(
        _("amount"), max_digits=11, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))]
    )
    is_active = models.BooleanField(_("active"), default=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        ordering = ["scope", "period", "id"]
        constraints = [
            models.CheckConstraint(condition=_one_target(), name="personas_budget_target"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="personas_budget_amount"),
            models.UniqueConstraint(
                fields=["scope", "period", "model", "persona", "robot_id", "room_id"],
                name="personas_budget_one",
                nulls_distinct=False,
                violation_error_message=_("There is a budget for this and this period already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} · {self.get_period_display()}"

    @property
    def target_id(self) -> UUID | None:
        """The id of the model, robot, room or persona; None for the whole installation."""
        return self.model_id or self.persona_id or self.robot_id or self.room_id

    def aim(self, target: UUID | None) -> None:
        """Name the target that the scope asks for, and only that."""
        for scope, field in _FIELDS.items():
            column = field if field.endswith("_id") else f"{field}_id"
            setattr(self, column, target if scope == self.scope else None)

    def clean(self) -> None:
        wanted = _FIELDS.get(BudgetScope(self.scope)) if self.scope in BudgetScope.values else None
        problems: dict[str, Any] = {}
        for field in _FIELDS.values():
            is_set = getattr(self, field) is not None
            if is_set != (field == wanted):
                problems[field] = _("Say what it is for.") if field == wanted else _("This is not what it is for.")
        if problems:
            raise ValidationError(problems)


class BudgetNotice(models.Model):
    """A budget has reached 80 or 100 % in a period. Once for each amount: raising it arms the notice again."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="notices", verbose_name=_("budget"))
    span = models.CharField(_("period"), max_length=10)
    level = models.PositiveSmallIntegerField(_("reached (%)"))
    amount = models.DecimalField(_("amount"), max_digits=11, decimal_places=2)
    spent = models.DecimalField(_("spent"), max_digits=18, decimal_places=6)
    at = models.DateTimeField(_("at"))
    ended_at = models.DateTimeField(_("over at"), null=True)

    class Meta:
        verbose_name = _("budget notice")
        verbose_name_plural = _("budget notices")
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["budget", "span", "level", "amount"], name="personas_budgetnotice_once"),
        ]

    def __str__(self) -> str:
        return f"{self.budget} {self.span} {self.level} %"
