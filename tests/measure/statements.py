"""Statements and commits per process, counted in PostgreSQL's own log (logging costs time: never in a timed round)."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

__all__ = ["Count", "counted"]

#: A record's first line; further lines of its statement begin with a tab.
_RECORD = re.compile(r"^([^|\t]*)\|(\d+)\|LOG:  duration: ([\d.]+) ms  (?:statement|execute [^:]*): (.*)")
_OTHER = re.compile(r"^[^|\t]*\|\d+\|")
_RENEWAL = "WITH held AS ( SELECT conversation_id FROM flows_conversationlease WHERE holder"
_LITERAL = re.compile(r"'[^']*'")
KIND_CHARS = 110
SETTLE_S = 0.5


@dataclass(slots=True)
class Count:
    """What each application asked; ``kinds`` and ``times_ms`` are those of the worker, by how a statement begins.

    ``renewals`` are the worker's statements that kept its leases.
    """

    statements: Counter[str] = field(default_factory=Counter)
    commits: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    times_ms: Counter[str] = field(default_factory=Counter)
    renewals: int = 0
    _open: set[str] = field(default_factory=set)

    def add(self, application: str, backend: str, took_ms: float, statement: str) -> None:
        text = " ".join(statement.split())
        self.statements[application] += 1
        if application.startswith("worker"):
            self.renewals += text.startswith(_RENEWAL)
            kind = _LITERAL.sub("?", text)[:KIND_CHARS]
            self.kinds[kind] += 1
            self.times_ms[kind] += took_ms  # type: ignore[assignment]  # a Counter adds floats as well
        self._follow(application, backend, text.partition(" ")[0].upper())

    def _follow(self, application: str, backend: str, verb: str) -> None:
        """A statement outside of BEGIN and COMMIT is a transaction of its own."""
        if verb == "BEGIN":
            self._open.add(backend)
        elif verb in ("COMMIT", "ROLLBACK"):
            self._open.discard(backend)
            self.commits[application] += verb == "COMMIT"
        elif backend not in self._open and verb != "SET":
            self.commits[application] += 1


@contextmanager
def counted(database: psycopg.Connection[Any], log: Path) -> Iterator[Count]:
    """Log every statement of the server for the length of the block, and count them at its end."""
    count = Count()
    start = log.stat().st_size
    _log_statements(database, "0")
    try:
        yield count
    finally:
        _log_statements(database, "-1")
        with log.open(encoding="utf-8", errors="replace") as lines:
            lines.seek(start)
            for record in _records(lines):
                count.add(*record)


def _records(lines: Iterable[str]) -> Iterator[tuple[str, str, float, str]]:
    """Put each record's lines together: application, backend, milliseconds, statement."""
    held: tuple[str, str, float, str] | None = None
    for line in lines:
        if line.startswith("\t") and held:
            held = (*held[:3], held[3] + line)
        elif _OTHER.match(line):
            if held:
                yield held
            found = _RECORD.match(line)
            held = (found[1], found[2], float(found[3]), found[4]) if found else None
    if held:
        yield held


def _log_statements(database: psycopg.Connection[Any], from_ms: str) -> None:
    database.execute(f"ALTER SYSTEM SET log_min_duration_statement = {from_ms}")
    database.execute("SELECT pg_reload_conf()")
    time.sleep(SETTLE_S)  # every backend reads it before its next statement
