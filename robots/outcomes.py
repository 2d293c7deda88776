"""What became of calls, written together: while one write is on its way, the next outcomes gather."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from uuid import UUID

from django.db import OperationalError

from robots import results
from robots.models import CommandState
from robots.transitions import Change, apply
from worktool_ai.lib.db import tx
from worktool_ai.lib.gathering import gather

__all__ = ["Outcomes"]

#: An outcome waits so long for others that are on their way, again while some keep coming, and at most the second
#: figure in all: a commit each would cost more than the calls.
GATHER_S, LONGEST_GATHER_S = 0.005, 0.05
#: Outcomes are worth more than a moment of waiting: without them a command waits a minute for reconciliation.
WRITE_ATTEMPTS = 5
#: With these the platform has answered: what follows in the room need not wait until that is written.
ANSWERS = (CommandState.ACCEPTED, CommandState.FAILED)


class Outcomes:
    """``on_room`` is called when a room may have become free: at an answer, and when something else was written."""

    def __init__(self, on_room: Callable[[], None]) -> None:
        self._on_room = on_room
        self._lock = threading.Lock()
        self._waiting: list[Change] = []
        self._answered: set[UUID] = set()
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

    def put(self, outcomes: Sequence[Change]) -> None:
        """Have a call's outcomes written, by this caller or by the one that is writing already."""
        with self._lock:
            self._waiting += outcomes
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

    def _gather(self) -> None:
        gather(lambda: len(self._waiting), lambda: bool(self._expected), window_s=GATHER_S, longest_s=LONGEST_GATHER_S)

    def _take(self) -> list[Change]:
        with self._lock:
            batch, self._waiting = self._waiting, []
            self._is_writing = bool(batch)
            return batch

    def _write(self, batch: Sequence[Change]) -> None:
        try:
            _write_patiently(batch)
        finally:
            with self._lock:
                self._answered.difference_update(one.id for one in batch)
        if any(one.state != CommandState.ACCEPTED for one in batch):
            self._on_room()


def _write_patiently(batch: Sequence[Change]) -> None:
    for attempt in range(1, WRITE_ATTEMPTS + 1):
        try:
            return _write(batch)
        except OperationalError:
            if attempt == WRITE_ATTEMPTS:
                raise
            time.sleep(0.2 * 2**attempt)
    return None


def _write(batch: Sequence[Change]) -> None:
    with tx():
        changed = apply(batch)
        results.adopt(command for command in changed if command.state == CommandState.ACCEPTED)
