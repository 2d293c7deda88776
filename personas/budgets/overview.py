"""Spending with names, as people and the API are shown it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from personas.budgets import spending, targets
from personas.budgets.models import Budget, BudgetScope
from personas.budgets.periods import Span, span
from personas.budgets.prices import shown
from personas.budgets.spending import Grouping, Spending
from worktool_ai.accounts.scopes import Scope
from worktool_ai.lib import clock

__all__ = ["Overview", "Row", "Table", "active_notices", "overview", "robots_of", "rows_by", "total_cost"]

_TITLES: dict[Grouping, Promise] = {
    "model": _("By model"),
    "robot": _("By robot"),
    "room": _("By room"),
    "persona": _("By persona"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """``name`` is None for calls of no target, and for a target that is gone or whose name is not told."""

    name: str | None
    spending: Spending

    @property
    def cost(self) -> str:
        return shown(self.spending.cost)

    @property
    def estimated(self) -> str:
        return shown(self.spending.estimated)


@dataclass(frozen=True, slots=True)
class Table:
    title: Promise
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Overview:
    period: str
    span: Span
    total: Row
    tables: Sequence[Table]


def overview(period: str, viewer: Scope) -> Overview:
    """Return today's or this month's spending, total and by each grouping, inside the viewer's robot scope."""
    now, robots = span(period, clock.now()), robots_of(viewer)
    tables = [Table(title, rows_by(group, now, viewer)) for group, title in _TITLES.items()]
    return Overview(period, now, Row(None, spending.total(now, robots)), tables)


def rows_by(group: Grouping, period: Span, viewer: Scope) -> list[Row]:
    """Return what was spent on each model, robot, room or persona, the dearest first."""
    found = spending.by(group, period, robots_of(viewer))
    # which models and personas a robot in scope has used is no secret to whoever sees its costs
    named_for = viewer if group in (BudgetScope.ROBOT, BudgetScope.ROOM) else targets.EVERYWHERE
    names = targets.names(group, [one.target for one in found], named_for)
    return [Row(names.get(one.target) if one.target else None, one) for one in found]


def robots_of(viewer: Scope) -> list[UUID] | None:
    """Return the robots whose calls the viewer may see; None for all calls, those of no robot too."""
    return None if viewer.is_everywhere else targets.ids(BudgetScope.ROBOT, viewer)


def total_cost(period: str, viewer: Scope) -> tuple[Decimal | None, int]:
    """Return what is known to be spent now, None for unknown, and how many calls have an unknown cost."""
    found = spending.total(span(period, clock.now()), robots_of(viewer))
    return found.cost, found.unknown


def active_notices(viewer: Scope) -> int:
    """Return how many budgets that the viewer may see have reached a level, and are not below it again."""
    rows = targets.visible(Budget.objects.filter(notices__ended_at=None, notices__isnull=False), viewer)
    return rows.distinct().count()
