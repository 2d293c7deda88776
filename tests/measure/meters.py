"""What one process, or one server with all its processes, has cost: read from /proc (Linux)."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

__all__ = ["Sampler", "connections", "cpu_ms", "pss_mb", "server_cpu_ms", "yardstick_ms"]

PROC = Path("/proc")
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def _times(pid: int) -> list[int]:
    """Return utime, stime, cutime and cstime in clock ticks; zeros when the process has just ended."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return [0, 0, 0, 0]
    return [int(field) for field in text.rpartition(")")[2].split()[11:15]]


def cpu_ms(pid: int) -> float:
    """Return the CPU time of a process and its threads, without children."""
    return sum(_times(pid)[:2]) * TICK_MS


def server_cpu_ms(postmaster: int) -> float:
    """Return the CPU time of PostgreSQL: the postmaster, its children, and those that have ended."""
    children = (PROC / str(postmaster) / "task" / str(postmaster) / "children").read_text(encoding="ascii").split()
    return (sum(_times(postmaster)) + sum(sum(_times(int(child))[:2]) for child in children)) * TICK_MS


def pss_mb(pid: int) -> float:
    """Return the proportional set size: shared pages count by share."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def yardstick_ms() -> float:
    """Return the CPU time of a fixed piece of work: what neighbours on the machine make of a millisecond."""
    document = {"lines": [{"number": number, "text": "如何退款？" * 5} for number in range(200)]}
    started = time.process_time()
    for _ in range(400):
        json.loads(json.dumps(document, ensure_ascii=False))
    return (time.process_time() - started) * 1000


def connections(database: psycopg.Connection[Any]) -> int:
    """Return how many connections the worker has to the database now."""
    row = database.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'worker%'").fetchone()
    return int(row[0]) if row else 0


class Sampler:
    """Keeps the highest value of each probe while the block runs; asks five times a second."""

    PERIOD_S = 0.2

    def __init__(self, **probes: Callable[[], float]) -> None:
        self._probes = probes
        self.highest = dict.fromkeys(probes, 0.0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._ended.wait(self.PERIOD_S):
            for name, probe in self._probes.items():
                self.highest[name] = max(self.highest[name], probe())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
