"""Telling people that a budget has reached 80 or 100 %: once for each budget, period and amount.

The row of the notice decides who tells; whoever writes it calls the hook, in the same transaction. The upper app that
is bound to it raises an alert, whose event stands in the event log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from personas.budgets.caches import BudgetSnapshot
from personas.budgets.models import BudgetNotice
from personas.budgets.periods import Span
from worktool_ai.lib import clock
from worktool_ai.lib.db import tx
from worktool_ai.lib.hooks import Hook
from worktool_ai.lib.logs import get_logger

__all__ = ["LEVELS", "Reached", "budget_reached", "budgets_looked_at", "end", "forget", "in_force", "tell"]

logger = get_logger(__name__)

#: Of a budget's amount, in per cent: a warning, and the end.
LEVELS = (80, 100)


@dataclass(frozen=True, slots=True)
class Reached:
    """A budget that has reached a level; used again from ``until`` on."""

    budget: BudgetSnapshot
    level: int
    spent: Decimal
    until: datetime


#: Called once for each level that a budget reaches.
budget_reached: Hook[[Reached]] = Hook("personas.budget_reached")
#: Called after each look at all budgets: what is not :func:`in_force` any more is over, deleted budgets too.
budgets_looked_at: Hook[[]] = Hook("personas.budgets_looked_at")

#: What this process knows to be told: without it every call above 80 % would ask the database.
_told: set[tuple[UUID, str, int, Decimal]] = set()
_MOST_TOLD = 10_000


def tell(budget: BudgetSnapshot, span: Span, spent: Decimal) -> None:
    """Tell of each level that is reached and was not told of; never fails. What fails is told by the next look."""
    for level in LEVELS:
        notice = (budget.id, span.name, level, budget.amount)
        if spent * 100 < budget.amount * level or notice in _told:
            continue
        try:
            _tell_once(Reached(budget, level, spent, span.end), span)
        except Exception:
            # whatever it is: the call whose cost was just counted has nothing to do with it
            logger.exception("budgets.not_told", budget=str(budget.id), level=level)
        else:
            if len(_told) >= _MOST_TOLD:
                _told.clear()
            _told.add(notice)


def _tell_once(reached: Reached, span: Span) -> None:
    row = BudgetNotice(
        budget_id=reached.budget.id,
        span=span.name,
        level=reached.level,
        amount=reached.budget.amount,
        spent=reached.spent,
        at=clock.now(),
    )
    with tx():
        # who comes second waits for the first to commit, and then finds its row
        BudgetNotice.objects.bulk_create([row], ignore_conflicts=True)
        if BudgetNotice.objects.filter(pk=row.pk).exists():
            budget_reached(reached)
            logger.info("budgets.reached", budget=reached.budget.counter, level=reached.level)


def end(over: Iterable[BudgetNotice]) -> None:
    """Say of notices that they are over: the period has ended, or the amount was raised."""
    ended = [notice.pk for notice in over]
    with tx():
        if ended:
            BudgetNotice.objects.filter(pk__in=ended, ended_at=None).update(ended_at=clock.now())
        budgets_looked_at()


def in_force() -> set[tuple[UUID, int]]:
    """Return the budgets, with the level, that have reached it and are not below it again."""
    return set(BudgetNotice.objects.filter(ended_at=None).values_list("budget_id", "level"))


def forget() -> None:
    """Ask the database again, in this process."""
    _told.clear()
