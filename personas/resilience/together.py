"""Good calls of one process that end at about the same time are told together: most calls are good, and the round trip
of each would cost a tenth of all that we do for it.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from uuid import UUID

from personas.resilience.rules import Report

__all__ = ["Together"]


class Together:
    """Hands reports on to ``tell``, those of a breaker as one. While one is on its way the next ones gather."""

    def __init__(self, tell: Callable[[Report], None]) -> None:
        self._tell = tell
        self._adding = threading.Lock()
        self._telling = threading.Lock()
        self._gathered: dict[tuple[UUID, str], Report] = {}

    @property
    def gathered(self) -> int:
        """How many calls wait for the next report."""
        with self._adding:
            return sum(report.calls for report in self._gathered.values())

    def add(self, report: Report) -> None:
        """Return when this report has been told, by whomever."""
        key = report.model_id, report.capability
        with self._adding:
            before = self._gathered.get(key)
            self._gathered[key] = _sum(before, report) if before else report
        with self._telling:
            with self._adding:
                gathered = self._gathered.pop(key, None)
            if gathered:
                self._tell(gathered)


def _sum(one: Report, other: Report) -> Report:
    calls, duration_ms = one.calls + other.calls, one.duration_ms + other.duration_ms
    return dataclasses.replace(one, calls=calls, duration_ms=duration_ms)
