"""What was spent, from the rows of calls: the truth that counters are made from and people are shown.

Calls to the local model cost nothing and are left out. Of the others some cost what is known, some were refused by the
vendor (no bill), and the cost of the rest is unknown: told as a number of calls, never added as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db.models import Count, DecimalField, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from personas.budgets.caches import BudgetSnapshot
from personas.budgets.models import BudgetScope
from personas.budgets.periods import Span
from personas.budgets.prices import FREE, REFUSED
from personas.models import AICall

__all__ = ["GROUPS", "Grouping", "Spending", "by", "charged", "total"]

Grouping = Literal["model", "robot", "room", "persona"]

#: What spending can be asked by -> the column of a call.
GROUPS: Mapping[Grouping, str] = {
    "model": "model_id",
    "robot": "robot_id",
    "room": "room_id",
    "persona": "persona_id",
}
_COLUMNS = {**{str(name): column for name, column in GROUPS.items()}}

_MISSING = Q(cost__isnull=True)
_NO_BILL = Q(error_kind__in=sorted(REFUSED))
_FIGURES: dict[str, Any] = {
    "calls": Count("pk"),
    "known": Sum("cost"),
    "unknown": Count("pk", filter=_MISSING & ~_NO_BILL),
    "refused": Count("pk", filter=_MISSING & _NO_BILL),
    "estimated": Sum("estimate", filter=_MISSING),
}


@dataclass(frozen=True, slots=True)
class Spending:
    """Of one target (None: calls that belonged to none). ``known`` is the sum of known costs.

    ``unknown`` calls may have cost something that nobody knows; ``estimated`` is what was set aside for those of them
    whose model has a price. ``refused`` calls were refused by the vendor and cost nothing.
    """

    target: UUID | None
    calls: int
    known: Decimal | None
    unknown: int
    refused: int
    estimated: Decimal | None

    @property
    def cost(self) -> Decimal | None:
        """None while calls have cost something and not of one it is known what."""
        return None if self.known is None and self.unknown else self.known or FREE


def charged(budget: BudgetSnapshot, span: Span) -> Decimal:
    """Return what counts in a budget: known costs, and what was set aside for calls whose cost is unknown."""
    rows = _calls(span)
    if budget.scope != BudgetScope.ALL:
        rows = rows.filter(**{_COLUMNS[budget.scope]: budget.target})
    found = rows.aggregate(sum=Sum(Coalesce("cost", "estimate", output_field=DecimalField())))["sum"]
    return found or FREE


def total(span: Span, robots: Sequence[UUID] | None = None) -> Spending:
    """Return what all calls in a span have cost; with ``robots`` only calls of these."""
    return Spending(target=None, **_within(span, robots).aggregate(**_FIGURES))


def by(group: Grouping, span: Span, robots: Sequence[UUID] | None = None) -> list[Spending]:
    """Return what was spent on each model, robot, room or persona, the dearest first."""
    column = GROUPS[group]
    rows = _within(span, robots).order_by().values(column).annotate(**_FIGURES)
    found = [Spending(target=row.pop(column), **row) for row in rows]
    return sorted(found, key=lambda one: (one.known or FREE, one.calls), reverse=True)


def _within(span: Span, robots: Sequence[UUID] | None) -> QuerySet[AICall]:
    rows = _calls(span)
    return rows if robots is None else rows.filter(robot_id__in=robots)


def _calls(span: Span) -> QuerySet[AICall]:
    return AICall.objects.exclude(provider="local").filter(created_at__gte=span.start, created_at__lt=span.end)
