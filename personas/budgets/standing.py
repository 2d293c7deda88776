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
    found = []
    for budget, (line, span) in zip(budgets, lines_of(budgets, clock.now()), strict=True):
        spent, held = _ask(line, spending.charged(budget, span))
        found.append(Status(budget, span, spent, held))
    return found


def _ask(line: Line, spent: Decimal) -> tuple[Decimal, Decimal | None]:
    counters = keeper().counters
    try:
        counters.counted(line, micro(spent))
        (standing,) = counters.standings([line])
    except (RedisError, Unknown, OSError):
        return spent, None
    return money(standing.spent), money(standing.held)


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
