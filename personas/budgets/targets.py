"""What budgets can be for. Upper apps register theirs (robots, rooms), so that people see names instead of ids.

A target that a narrow robot scope covers is a robot or room inside it; models, personas and the whole installation are
for people whose scope is everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from personas.budgets.models import BudgetScope
from personas.models import AIModel, Persona
from worktool_ai.accounts.scopes import Scope

__all__ = ["Source", "names", "register", "registered", "title"]


@dataclass(frozen=True, slots=True)
class Source:
    """Of one kind of target. ``within`` gives the rows (with ``pk``) in a robot scope, ``name`` how one is called."""

    within: Callable[[Scope], Any]
    name: Callable[[Any], str]


_sources: dict[str, Source] = {}


def register(scope: str, source: Source) -> None:
    """Say where the targets of a budget's scope are found."""
    _sources[scope] = source


def registered() -> Mapping[str, Source]:
    """Return the sources by scope of a budget."""
    return _sources


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
