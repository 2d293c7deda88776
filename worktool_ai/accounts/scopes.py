"""Where somebody may look and act: all robots, some groups of robots, or named robots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from worktool_ai.accounts.models import ScopeKind

__all__ = ["NOWHERE", "Scope", "scope_of"]

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Scope:
    """The robots that somebody may see. Robots are named by slug, groups by name."""

    kind: str
    values: frozenset[str]

    @property
    def is_everywhere(self) -> bool:
        return self.kind == ScopeKind.ALL

    def allows(self, robot: str, group: str = "") -> bool:
        """Tell whether a thing of this robot (slug) and group lies inside; one of no robot is for ``all``."""
        if self.is_everywhere:
            return True
        name = group if self.kind == ScopeKind.GROUPS else robot
        return bool(name) and name in self.values

    def filter(self, queryset: QuerySet[M], path: str = "robot") -> QuerySet[M]:
        """Narrow a queryset; ``path`` leads to the robot (``conversation__robot``), empty for robots."""
        if self.is_everywhere:
            return queryset
        tail = "group__name__in" if self.kind == ScopeKind.GROUPS else "slug__in"
        lookup = f"{path}__{tail}" if path else tail
        return queryset.filter(**{lookup: sorted(self.values)})


NOWHERE = Scope(ScopeKind.ROBOTS, frozenset())


def scope_of(person: Any) -> Scope:
    """Return the scope of a person or API key; somebody who is not signed in sees nothing."""
    if not getattr(person, "is_authenticated", False) or not getattr(person, "is_active", False):
        return NOWHERE
    if getattr(person, "is_superuser", False):
        return Scope(ScopeKind.ALL, frozenset())
    return Scope(person.scope_kind, frozenset(person.scope_values))
