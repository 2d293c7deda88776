"""The budgets in force as every process remembers them, at most two seconds behind the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from personas.budgets.models import Budget, BudgetScope
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.db import borrowed

__all__ = ["BudgetSnapshot", "forget", "matching", "snapshot"]

Target = tuple[str, UUID | None]


@dataclass(frozen=True, slots=True)
class BudgetSnapshot:
    id: UUID
    scope: str
    target: UUID | None
    period: str
    amount: Decimal

    @property
    def counter(self) -> str:
        """The name of what it counts: the same for every budget of this target and period."""
        return f"{self.scope}:{self.target or '-'}:{self.period}"


def matching(
    model_id: UUID | None, persona_id: UUID | None, robot_id: str | None, room_id: str | None
) -> list[BudgetSnapshot]:
    """Return the active budgets that a call counts in."""
    known = _cache.get()
    if not known:
        return []
    targets: list[Target] = [(BudgetScope.ALL, None)]
    targets += [(BudgetScope.MODEL, model_id), (BudgetScope.PERSONA, persona_id)]
    targets += [(BudgetScope.ROBOT, _uuid(robot_id)), (BudgetScope.ROOM, _uuid(room_id))]
    return [budget for target in targets for budget in known.get(target, ())]


def forget() -> None:
    """Read them anew at the next look, in this process."""
    _cache.clear()


def snapshot(row: Budget) -> BudgetSnapshot:
    """Return a budget's row as calls use it."""
    return BudgetSnapshot(row.id, row.scope, row.target_id, row.period, row.amount)


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _load() -> Mapping[Target, Sequence[BudgetSnapshot]]:
    found: dict[Target, list[BudgetSnapshot]] = {}
    with borrowed():
        for row in Budget.objects.filter(is_active=True):
            found.setdefault((row.scope, row.target_id), []).append(snapshot(row))
    return found


_cache: VersionedCache[Mapping[Target, Sequence[BudgetSnapshot]]] = VersionedCache(_load, Budget)
