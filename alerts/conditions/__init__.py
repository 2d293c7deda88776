"""Alert conditions: one file each (``alerts/conditions/<key>.py``), found by folder.

A condition is pure: it looks at facts and says whether it holds, and what it wanted and what it found, so that the
panel can explain why a rule fired or did not.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worktool_ai.lib.registry import Plugin, Registry

__all__ = ["Condition", "Facts", "Verdict", "registry"]

#: Facts about one line: the StandardContext's camelCase names (see docs/schema/standard-context.json).
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, in words: what it wanted and what the facts were."""

    matched: bool
    wanted: str
    actual: str


class Condition(Plugin):
    """One kind of condition, built with its Config."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def check(self, facts: Facts) -> Verdict:
        """Judge the facts. Pure: no I/O, no clock."""


registry: Registry[Condition] = Registry("alert condition", Condition, "alerts.conditions")  # type: ignore[type-abstract]
