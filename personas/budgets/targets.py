"""What budgets can be for. Upper apps register theirs (robots, rooms), so that people see names instead of ids.

A target that a narrow robot scope covers is a robot or room inside it; models, personas and the whole installation are
for people whose scope is everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from personas.budgets.models import Budget, BudgetScope
from personas.models import AIModel, Persona
from worktool_ai.accounts.models import ScopeKind
from worktool_ai.accounts.scopes import Scope

__all__ = ["EVERYWHERE", "Source", "choices", "ids", "names", "register", "title", "visible"]

#: So many targets of a kind can be chosen from; the newest rooms are the ones that people ask for.
MOST_CHOICES = 2_000

EVERYWHERE = Scope(ScopeKind.ALL, frozenset())


@dataclass(frozen=True, slots=True)
class Source:
    """Of one kind of target. ``within`` gives the rows (with ``pk``) in a robot scope, ``name`` how one is called."""

    within: Callable[[Scope], Any]
    name: Callable[[Any], str]


_sources: dict[str, Source] = {}


def register(scope: str, source: Source) -> None:
    """Say where the targets of a budget's scope are found."""
    _sources[scope] = source


def choices(viewer: Scope) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what the viewer can set a budget for, by kind: pairs of ``<scope>:<id>`` and name."""
    everything = [(f"{BudgetScope.ALL}:", str(BudgetScope.ALL.label))]
    groups = [(str(BudgetScope.ALL.label), everything)] if viewer.is_everywhere else []
    for scope, source in _sources.items():
        rows = source.within(viewer).order_by("-pk")[:MOST_CHOICES]
        named = sorted(((f"{scope}:{row.pk}", source.name(row)) for row in rows), key=lambda pair: pair[1])
        groups.append((str(BudgetScope(scope).label), named))
    return [group for group in groups if group[1]]


def visible(rows: QuerySet[Budget], viewer: Scope) -> QuerySet[Budget]:
    """Narrow budgets to those whose target the viewer may see."""
    if viewer.is_everywhere:
        return rows
    robots, rooms = _sources[BudgetScope.ROBOT].within(viewer), _sources[BudgetScope.ROOM].within(viewer)
    return rows.filter(
        Q(scope=BudgetScope.ROBOT, robot_id__in=robots.values("pk"))
        | Q(scope=BudgetScope.ROOM, room_id__in=rooms.values("pk"))
    )


def ids(scope: str, viewer: Scope) -> list[UUID]:
    """Return the targets of this kind that the viewer may see."""
    return list(_sources[scope].within(viewer).values_list("pk", flat=True))


def names(scope: str, ids: Iterable[UUID | None], viewer: Scope) -> dict[UUID, str]:
    """Return the names of those that exist and that the viewer may see."""
    source = _sources.get(scope)
    wanted = [pk for pk in ids if pk]
    if source is None or not wanted:
        return {}
    return {row.pk: source.name(row) for row in source.within(viewer).filter(pk__in=wanted)}


def title(scope: str, target: UUID | None, viewer: Scope) -> str:
    """Say what a budget is for, in words."""
    kind = str(BudgetScope(scope).label)
    if target is None:
        return kind
    name = names(scope, [target], viewer).get(target) or _("deleted")
    return f"{kind}: {name}"


def _for_all(rows: Any) -> Callable[[Scope], Any]:
    return lambda scope: rows.all() if scope.is_everywhere else rows.none()


register(BudgetScope.MODEL, Source(_for_all(AIModel.objects), str))
register(BudgetScope.PERSONA, Source(_for_all(Persona.objects), str))
