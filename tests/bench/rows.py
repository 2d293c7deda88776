"""The rows of bench.json: what each is called, measured in, and held to."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ROWS", "Result", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """``sign`` compares the value with ``limit``; ``least_ratio`` is the share of the floor that must be reached."""

    name: str
    unit: str
    sign: str
    limit: float
    least_ratio: float | None = None

    @property
    def target(self) -> str:
        own = f"{self.sign} {self.limit:g}"
        return own if self.least_ratio is None else f"{own}, >= {self.least_ratio:g} of the floor"

    def holds(self, value: float, ratio: float | None) -> bool:
        met = {"<": value < self.limit, "<=": value <= self.limit, ">=": value >= self.limit}[self.sign]
        return met and (self.least_ratio is None or (ratio is not None and ratio >= self.least_ratio))


ROWS = {
    row.name: row
    for row in (
        Row("throughput_inprocess", "messages/s", ">=", 400, least_ratio=0.4),
        Row("throughput_sdk", "messages/s", ">=", 250),
        Row("cpu_ms_inprocess", "ms/message", "<=", 2.5),
        Row("cpu_ms_sdk", "ms/message", "<=", 5),
        Row("cpu_ms_postgres", "ms/message", "<=", 1),
        Row("callback_p99_ms_300", "ms", "<", 100),
        Row("callback_p95_ms_100", "ms", "<=", 10),
        Row("callback_burst_s", "s", "<", 1),
        Row("engine_p95_ms", "ms", "<=", 50),
        Row("two_calls_open_p95_s", "s", "<=", 4.8),
        Row("two_calls_burst_p95_s", "s", "<=", 5.5),
        Row("commits_lone", "commits/message", "<=", 6),
        Row("statements_lone", "statements/message", "<=", 24),
        Row("commits_load", "commits/message", "<=", 0.3),
        Row("statements_load", "statements/message", "<=", 3),
        Row("memory_pss_mb", "MB", "<=", 600),
        Row("history_ratio", "ratio", "<=", 1.2),
    )
}


@dataclass(slots=True)
class Result:
    """The figures of one row: one per round, those of the floor beside them, and of how many messages each."""

    row: Row
    n: int
    runs: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)
    yardsticks: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        return statistics.median(self.runs)

    @property
    def floor(self) -> float | None:
        return statistics.median(self.floors) if self.floors else None

    @property
    def ratio(self) -> float | None:
        """Ours as a share of the floor: the median over rounds, each with the floor's round beside it."""
        return statistics.median(a / b for a, b in zip(self.runs, self.floors, strict=True)) if self.floors else None

    @property
    def met(self) -> bool:
        return self.row.holds(self.value, self.ratio)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.row.name,
            "unit": self.row.unit,
            "value": _rounded(self.value),
            "floor": _rounded(self.floor),
            "ratio": _rounded(self.ratio),
            "target": self.row.target,
            "met": self.met,
            "n": self.n,
            "runs": [_rounded(run) for run in self.runs],
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
