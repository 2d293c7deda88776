"""Budgets that are nearly or wholly used up become alerts, and are resolved when they are not any more.

Amounts are not told here: who may see alerts need not see costs.
"""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from alerts import services
from alerts.models import Alert, AlertState, Level
from personas.budgets import notices, targets
from personas.budgets.models import BudgetScope
from personas.budgets.notices import Reached
from robots.models import Room

__all__ = ["raise_for", "resolve_over"]

_CODES = {80: "budget_warning", 100: "budget_spent"}


def raise_for(reached: Reached) -> None:
    """Raise an alert for a level that a budget has reached, in the caller's transaction, and have it told."""
    budget = reached.budget
    is_spent = reached.level >= 100
    what = targets.title(budget.scope, budget.target, targets.EVERYWHERE)
    title = _("The budget for %(what)s is used up") if is_spent else _("The budget for %(what)s is nearly used up")
    until = f"{reached.until:%Y-%m-%d %H:%M}"
    note = (
        _("The local model answers until %(until)s, or until the budget is raised.")
        if is_spent
        else _("%(level)d %% is used; it is renewed at %(until)s.")
    )
    robot, room = _whose(budget.scope, budget.target)
    draft = services.AlertDraft(
        code=_CODES[reached.level],
        level=Level.CRITICAL if is_spent else Level.WARNING,
        title=title % {"what": what},
        fingerprint=_fingerprint(budget.id, reached.level),
        robot_id=robot,
        room_id=room,
        data={"budget": str(budget.id), "percent": reached.level},
    )
    raised = services.raise_alert(draft)
    note %= {"until": until, "level": reached.level}
    services.notify(raised.id, level=draft.level, text=f"{draft.title}\n{note}")


def resolve_over() -> None:
    """Resolve the alerts of budgets that are below the level again, in a new period, off or deleted."""
    # alerts first: one that is raised meanwhile is not among them, and the notice of each of them is written already
    alerts = list(Alert.objects.filter(code__in=_CODES.values()).exclude(state=AlertState.RESOLVED))
    if not alerts:
        return
    holding = {_fingerprint(*notice) for notice in notices.in_force()}
    for alert in alerts:
        if alert.fingerprint not in holding:
            services.resolve(alert.pk, "budgets")


def _whose(scope: str, target: UUID | None) -> tuple[UUID | None, UUID | None]:
    """Return the robot and the room of a budget, as far as they still exist."""
    if target and scope == BudgetScope.ROOM:
        room = Room.objects.filter(pk=target).first()
        return (room.robot_id, room.pk) if room else (None, None)
    if scope == BudgetScope.ROBOT and targets.names(scope, [target], targets.EVERYWHERE):
        return target, None
    return None, None


def _fingerprint(budget_id: UUID, level: int) -> str:
    return f"budget:{budget_id}:{level}"
