"""What became of calls, written together: while one write is on its way, the next outcomes gather.

::

    answered          -> what follows in the room may leave already
    accepted, again,  -> one statement
    unknown
    ended             -> a transaction, which tells the app above, too
    written           -> results that were here first are adopted, at once and a moment later
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from uuid import UUID

from django.db import OperationalError

from robots import results
from robots.models import CommandState
from robots.models.commands import FINAL
from robots.transitions import Change, Changed, apply, note
from worktool_ai.lib.db import borrowed, tx
from worktool_ai.lib.gathering import gather

__all__ = ["Outcomes"]

#: An outcome waits so long for others that are on their way, again while some keep coming, and at most the second
#: figure in all: a commit each would cost more than the calls.
GATHER_S, LONGEST_GATHER_S = 0.005, 0.05
#: Outcomes are worth more than a moment of waiting: without them a command waits a minute for reconciliation.
WRITE_ATTEMPTS = 5
#: With these the platform has answered: what follows in the room need not wait until that is written.
ANSWERS = (CommandState.ACCEPTED, CommandState.FAILED)
#: A result that was being stored while the answer was written, neither seeing the other, is there to be seen by then.
CROSSING_S = 0.02


class Outcomes:
    """``on_room`` is called when a room may have become free: at an answer, and when something else was written."""

    def __init__(self, on_room: Callable[[], None]) -> None:
        self._on_room = on_room
        self._lock = threading.Lock()
        self._waiting: list[Change] = []
        self._known: dict[UUID, Changed] = {}
        self._answered: set[UUID] = set()
        self._crossing: set[str] = set()
        self._is_writing = False
        self._expected = 0

    def expect(self, calls: int) -> None:
        """Say that so many calls more (or fewer) will have an outcome."""
        with self._lock:
            self._expected += calls

    def answered(self) -> Collection[UUID]:
        """Return the commands that are answered, and still being sent as far as the database knows."""
        with self._lock:
            return list(self._answered)

    def put(self, commands: Sequence[Changed], outcomes: Sequence[Change]) -> None:
        """Have a call's outcomes written, by this caller or by the one that is writing already."""
        with self._lock:
            self._waiting += outcomes
            self._known.update((command.id, command) for command in commands)
            self._answered.update(one.id for one in outcomes if one.state in ANSWERS)
            self._expected -= 1
            is_first, self._is_writing = not self._is_writing, True
        self._on_room()
        if is_first:
            self._write_all()

    def _write_all(self) -> None:
        try:
            self._gather()
            while batch := self._take():
                self._write(batch)
                self._gather()
        except BaseException:
            self._is_writing = False
            raise
        self._adopt_crossing()

    def _gather(self) -> None:
        gather(lambda: len(self._waiting), lambda: bool(self._expected), window_s=GATHER_S, longest_s=LONGEST_GATHER_S)

    def _take(self) -> list[Change]:
        with self._lock:
            batch, self._waiting = self._waiting, []
            self._is_writing = bool(batch)
            return batch

    def _write(self, batch: Sequence[Change]) -> None:
        with self._lock:
            known = {one.id: self._known.pop(one.id) for one in batch}
            crossing, self._crossing = self._crossing, set()
        try:
            early = _write_patiently(batch, known)
        finally:
            with self._lock:
                self._answered.difference_update(known)
        if any(one.state != CommandState.ACCEPTED for one in batch):
            self._on_room()
        _adopt(crossing | early)
        with self._lock:
            self._crossing.update(one.platform_id for one in batch if one.platform_id)

    def _adopt_crossing(self) -> None:
        """Once the writing has come to rest: what the next write would have looked for."""
        time.sleep(CROSSING_S)
        with self._lock:
            crossing, self._crossing = self._crossing, set()
        _adopt(crossing)


def _adopt(platform_ids: Collection[str]) -> None:
    if platform_ids:
        results.adopt_early(platform_ids)


def _write_patiently(batch: Sequence[Change], known: Mapping[UUID, Changed]) -> set[str]:
    for attempt in range(1, WRITE_ATTEMPTS):
        try:
            return _write(batch, known)
        except OperationalError:
            time.sleep(0.2 * 2**attempt)
    return _write(batch, known)


def _write(batch: Sequence[Change], known: Mapping[UUID, Changed]) -> set[str]:
    """Return the platform ids whose results are here already."""
    if ending := [one for one in batch if one.state in FINAL]:
        with tx():
            apply(ending)
    others = [one for one in batch if one.state not in FINAL]
    if not others:
        return set()
    with borrowed():
        is_early = note(others, known)
    return {one.platform_id for one in others if one.platform_id and is_early.get(one.id)}
