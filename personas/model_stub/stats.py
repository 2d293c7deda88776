"""What the stub was asked: counted per text and per echo marker, so that a repeated model call is seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from personas.model_stub.behaviour import Purpose

KEEP: Final = 50_000


class Counts:
    """Counts per key and purpose; the keys that were least recently asked for are forgotten beyond
    ``KEEP``.
    """

    def __init__(self) -> None:
        self._rows: OrderedDict[str, dict[str, int]] = OrderedDict()

    def add(self, key: str, purpose: Purpose) -> None:
        row = self._rows.setdefault(key, {})
        row[purpose] = row.get(purpose, 0) + 1
        self._rows.move_to_end(key)
        if len(self._rows) > KEEP:
            self._rows.popitem(last=False)

    def rows(self) -> dict[str, dict[str, int]]:
        return {key: dict(row) for key, row in self._rows.items()}


class Stats:
    """``GET /stub/stats``; ``DELETE`` starts anew, keeping what is in flight."""

    def __init__(self) -> None:
        self._in_flight = 0
        self.clear()

    def clear(self) -> None:
        self._total = 0
        self._max_in_flight = self._in_flight
        self._abandoned = 0
        self._by_purpose = {"intent": 0, "reply": 0, "picture": 0}
        self._by_text = Counts()
        self._by_marker = Counts()

    @contextmanager
    def call(self, text: str, markers: list[str], purpose: Purpose) -> Iterator[None]:
        """Count one call and, for the length of the block, hold it as being in flight."""
        self._total += 1
        self._by_purpose[purpose] += 1
        self._by_text.add(text, purpose)
        for marker in markers:
            self._by_marker.add(marker, purpose)
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1

    def abandoned(self) -> None:
        """Note that a caller hung up before it was answered."""
        self._abandoned += 1

    def as_json(self) -> dict[str, Any]:
        return {
            "total": self._total,
            "in_flight": self._in_flight,
            "max_in_flight": self._max_in_flight,
            "abandoned": self._abandoned,
            "by_purpose": self._by_purpose,
            "by_text": {text: sum(row.values()) for text, row in self._by_text.rows().items()},
            "by_marker": self._by_marker.rows(),
        }
