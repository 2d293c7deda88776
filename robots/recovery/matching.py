"""Which rows of the platform's log were never stored. Pure: rows and stored lines in, the missing rows out.

Overlooking that a line is stored would answer it twice, so times are compared generously: the platform's clock may be
off, and a door that was stopped stores a line long after its caller gave up. Each stored line accounts for one row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from robots.inbound.duplicates import Judge, first_marks
from robots.inbound.parse import ParsedMessage

__all__ = ["SKEW", "LogLine", "Stored", "missing"]

#: How far the platform's clock may be off. As much is read on both sides of an outage: a line that was said again
#: just after it then accounts for its own row, not for one that was lost.
SKEW = timedelta(seconds=30)
#: Between the start of a callback in the log, cut to the second, and our door's time in an ordinary hour.
CLOSE = (timedelta(seconds=-3), timedelta(seconds=5))

_Key = tuple[bool, str, str, int, str]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A row of the log, read like a callback. ``body`` is what the door would have taken."""

    line: ParsedMessage
    body: bytes

    @property
    def at(self) -> datetime:
        return self.line.received_at

    @property
    def key(self) -> _Key:
        line = self.line
        return (line.is_group, line.room_name, line.sender_name, line.text_type, line.text)


@dataclass(slots=True)
class Stored:
    """A line that we have. ``room_names``: its room's name and address, either may stand in the log."""

    at: datetime
    is_group: bool
    room_names: frozenset[str]
    sender: str
    text_type: int
    text: str
    platform_id: str
    is_duplicate: bool
    used: bool = False

    def names(self) -> Iterable[_Key]:
        return ((self.is_group, room, self.sender, self.text_type, self.text) for room in self.room_names)


def missing(
    rows: Sequence[LogLine], stored: Sequence[Stored], *, until: datetime, windows: dict[UUID, timedelta]
) -> list[LogLine]:
    """Return the rows that no stored line accounts for, in their order.

    ``rows`` and ``stored`` are in order of time. Up to ``until`` a door that came back may have stored late. What the
    platform delivered twice (duplicates by the rule of the door, within ``windows`` of the robots) is one row.
    """
    pool: defaultdict[_Key, list[Stored]] = defaultdict(list)
    for one in stored:
        for key in one.names():
            pool[key].append(one)
    left = _without_known_ids(_without_repetitions(rows, windows), stored)
    left = [row for row in left if not _account(row, pool[row.key], CLOSE)]
    firsts = {key: [one for one in found if not one.is_duplicate] for key, found in pool.items()}
    return [row for row in left if not _account(row, firsts.get(row.key, ()), _wide(row, until))]


def _wide(row: LogLine, until: datetime) -> tuple[timedelta, timedelta]:
    return -SKEW, max(SKEW, until + SKEW - row.at)


def _without_repetitions(rows: Sequence[LogLine], windows: dict[UUID, timedelta]) -> list[LogLine]:
    lines = [row.line for row in rows]
    judge = Judge({mark.digest: mark for mark in first_marks(lines)}, windows)
    return [row for row in rows if judge.original_of(row.line) is None]


def _without_known_ids(rows: Sequence[LogLine], stored: Sequence[Stored]) -> list[LogLine]:
    """Equal id and text is one line at any distance, whatever else the log says of it."""
    named = {(one.platform_id, one.text): one for one in stored if one.platform_id}
    left: list[LogLine] = []
    for row in rows:
        known = named.get((row.line.platform_id, row.line.text))
        if known is None:
            left.append(row)
        else:
            known.used = True
    return left


def _account(row: LogLine, candidates: Iterable[Stored], span: tuple[timedelta, timedelta]) -> bool:
    """Use up the oldest candidate within the span of time; ids that differ are different lines."""
    for one in candidates:
        differ = bool(one.platform_id and row.line.platform_id and one.platform_id != row.line.platform_id)
        if not one.used and not differ and span[0] <= one.at - row.at <= span[1]:
            one.used = True
            return True
    return False
