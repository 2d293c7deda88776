"""How budgets stand, from rows and Redis together; and the look at all of them once a minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from redis.exceptions import RedisError

from personas.budgets import notices, spending
from personas.budgets.caches import BudgetSnapshot, snapshot
from personas.budgets.counters import Line, Unknown, micro, money
from personas.budgets.keeper import keeper, lines_of
from personas.budgets.models import Budget, BudgetNotice
from personas.budgets.periods import Span
from personas.budgets.prices import FREE
from worktool_ai.lib import clock
from worktool_ai.lib.logs import get_logger

__all__ = ["Status", "statuses", "watch"]

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Status:
    """A budget in the present period. ``held`` for calls on their way; None while Redis cannot be asked."""

    budget: BudgetSnapshot
    span: Span
    spent: Decimal
    held: Decimal | None

    @property
    def left(self) -> Decimal:
        return max(FREE, self.budget.amount - self.spent - (self.held or FREE))

    @property
    def percent(self) -> int:
        """Of the amount, spent; more than 100 where the last call went beyond it."""
        return int(self.spent * 100 / self.budget.amount)

    @property
    def held_percent(self) -> int:
        return int((self.held or FREE) * 100 / self.budget.amount)


def statuses(budgets: Sequence[BudgetSnapshot]) -> list[Status]:
    """Return how these budgets stand now; counters that are behind the rows are brought up to them."""
    with_spans = lines_of(budgets, clock.now())
    spent = [spending.charged(budget, span) for budget, (_line, span) in zip(budgets, with_spans, strict=True)]
    counted = _counted([line for line, _span in with_spans], spent)
    figures = counted or [(amount, None) for amount in spent]
    return [
        Status(budget, span, *pair) for budget, (_line, span), pair in zip(budgets, with_spans, figures, strict=True)
    ]


def _counted(lines: Sequence[Line], spent: Sequence[Decimal]) -> list[tuple[Decimal, Decimal | None]]:
    """Return what was spent and is held by the counters; nothing when Redis is away."""
    counters = keeper().counters
    try:
        for line, amount in zip(lines, spent, strict=True):
            counters.counted(line, micro(amount))
        standings = counters.standings(lines)
    except (RedisError, Unknown, OSError):
        return []
    return [(money(standing.spent), money(standing.held)) for standing in standings]


def watch() -> None:
    """Bring counters up to the rows, tell of levels that nobody has told of, and end notices that are over."""
    standing = statuses([snapshot(row) for row in Budget.objects.filter(is_active=True)])
    for status in standing:
        notices.tell(status.budget, status.span, status.spent)
    by_id = {status.budget.id: status for status in standing}
    told = BudgetNotice.objects.filter(ended_at=None)
    notices.end([notice for notice in told if _is_over(notice, by_id.get(notice.budget_id))])


def _is_over(notice: BudgetNotice, status: Status | None) -> bool:
    if status is None or status.span.name != notice.span:
        return True
    return status.spent * 100 < status.budget.amount * notice.level
