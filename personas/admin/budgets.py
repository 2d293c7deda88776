"""Budgets with how they stand, and what was spent on what."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelect2Widget

from personas.budgets import services, standing, targets
from personas.budgets.caches import snapshot
from personas.budgets.overview import overview
from personas.budgets.periods import Period
from personas.budgets.prices import shown
from personas.budgets.standing import Status
from personas.models import AIModel, Budget, BudgetNotice
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, ReadOnlyModelAdmin, display
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.accounts.scopes import NOWHERE, Scope, scope_of

#: Colours of the theme for what is spent, by how much of the budget that is.
_COLOURS = ((100, "var(--color-red-500)"), (80, "var(--color-orange-400)"), (0, "var(--color-primary-500)"))


class BudgetForm(forms.ModelForm):  # type: ignore[type-arg]
    """One field says what a budget is for, instead of a scope and four ids."""

    #: Whose choice it is; set for each request.
    viewer: ClassVar[Scope] = NOWHERE

    target = forms.ChoiceField(label=_("for"), widget=UnfoldAdminSelect2Widget)

    class Meta:
        model = Budget
        fields = ("target", "period", "amount", "is_active", "note")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "amount" not in self.fields:
            return  # somebody who may only look has no inputs
        self.fields["amount"].help_text = settings.COST_CURRENCY
        field: Any = self.fields["target"]
        field.choices = [("", "—"), *targets.choices(self.viewer)]
        if self.instance.scope:
            field.initial = f"{self.instance.scope}:{self.instance.target_id or ''}"

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if target := cleaned.get("target"):
            scope, _colon, pk = target.partition(":")
            self.instance.scope = scope
            self.instance.aim(UUID(pk) if pk else None)
            self._refuse_second(cleaned)
        return cleaned

    def _refuse_second(self, cleaned: dict[str, Any]) -> None:
        """Django leaves out constraints over columns that the form does not show."""
        self.instance.period = cleaned.get("period", "")
        try:
            self.instance.validate_constraints(exclude={"amount"})
        except ValidationError as error:
            raise ValidationError({"target": error.messages}) from None


class _WithStatuses:
    """A list whose rows know how they stand, asked for all of them at once."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)  # type: ignore[misc]
        rows = list(self.result_list)
        for row, status in zip(rows, standing.statuses([snapshot(row) for row in rows]), strict=True):
            row.status = status
        self.result_list = rows


@admin.register(Budget)
class BudgetAdmin(AuditedModelAdmin):
    """Budgets in the currency of the installation. Robots' and rooms' are seen by whoever has them in scope."""

    form = BudgetForm
    list_display = ("shown_target", "period", "shown_amount", "shown_bar", "is_active", "note")
    list_display_links = ("shown_target",)
    list_filter = ("scope", "period", "is_active")
    list_before_template = "personas/budgets_before.html"
    fields = ("target", "period", "amount", "is_active", "shown_bar", "note")
    readonly_fields = ("shown_bar",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Budget]:
        return targets.visible(super().get_queryset(request), scope_of(request.user))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        listing = super().get_changelist(request, **kwargs)
        return type("BudgetChangeList", (_WithStatuses, listing), {})

    def get_form(self, request: HttpRequest, obj: Budget | None = None, change: bool = False, **kwargs: Any) -> Any:
        made: Any = super().get_form(request, obj, change=change, **kwargs)
        made.viewer = scope_of(request.user)
        return made

    def get_fields(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        if not self.has_change_permission(request, obj):
            return ("shown_target", "period", "shown_amount", "is_active", "shown_bar", "note")
        return self.fields if obj else [name for name in self.fields if name != "shown_bar"]

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        return ("shown_bar", "shown_target", "shown_amount")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.spending_view)
        return [path("spending/", view, name="personas_spending"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        unpriced = AIModel.objects.filter(is_active=True, input_price=None).exclude(provider="local")
        more = {"spending_page": reverse("admin:personas_spending"), "unpriced": list(unpriced)}
        page: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **more})
        return page

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        services.changed(obj)

    @display(description=_("for"))
    def shown_target(self, budget: Budget) -> str:
        return targets.title(budget.scope, budget.target_id, targets.EVERYWHERE)

    @display(description=_("amount"), ordering="amount")
    def shown_amount(self, budget: Budget) -> str:
        return shown(budget.amount)

    @display(description=_("spent in this period"))
    def shown_bar(self, budget: Budget) -> SafeString:
        """What is spent, set aside for calls on their way, and left."""
        status: Status = getattr(budget, "status", None) or standing.statuses([snapshot(budget)])[0]
        return _bar(status)

    def spending_view(self, request: HttpRequest) -> HttpResponse:
        """Today's or this month's spending by model, robot, room and persona."""
        if not may(request.user, Ability.READ_COSTS):
            raise PermissionDenied
        period = request.GET.get("period", "")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Spending"),
            "periods": [(Period.DAY.value, _("Today")), (Period.MONTH.value, _("This month"))],
            "overview": overview(period if period in Period.values else Period.DAY, scope_of(request.user)),
        }
        return TemplateResponse(request, "personas/spending.html", context)


def _bar(status: Status) -> SafeString:
    spent = min(100, status.percent)
    colour = next(colour for least, colour in _COLOURS if status.percent >= least)
    text = _("%(percent)d%% · spent %(spent)s · set aside %(held)s · left %(left)s") % {
        "percent": status.percent,
        "spent": shown(status.spent),
        "held": shown(status.held),
        "left": shown(status.left),
    }
    return format_html(
        '<div style="display:flex;height:8px;min-width:180px;border-radius:4px;overflow:hidden;'
        'background:var(--color-base-200)"><span style="width:{}%;background:{}"></span>'
        '<span style="width:{}%;background:var(--color-base-400)"></span></div>'
        '<span style="white-space:nowrap">{}</span>',
        spent,
        colour,
        min(100 - spent, status.held_percent),
        text,
    )


@admin.register(BudgetNotice)
class BudgetNoticeAdmin(ReadOnlyModelAdmin):
    """When budgets have reached 80 and 100 %, and until when."""

    list_display = ("at", "shown_target", "level", "span", "amount", "spent", "ended_at")
    list_filter = ("level",)
    list_select_related = ("budget",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[BudgetNotice]:
        rows: QuerySet[BudgetNotice] = super().get_queryset(request)
        return rows.filter(budget__in=targets.visible(Budget.objects.all(), scope_of(request.user)))

    @display(description=_("for"))
    def shown_target(self, notice: BudgetNotice) -> str:
        return targets.title(notice.budget.scope, notice.budget.target_id, targets.EVERYWHERE)
