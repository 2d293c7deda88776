"""One writer per process: walks that want to commit within a few milliseconds share one transaction.

The first to come leads: it waits the window, takes everything handed in meanwhile, writes it and tells the others.
Works the same in greenlets and in threads; alone in the process nobody waits.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from uuid import UUID

from django.db import OperationalError
from psycopg import errors

from flows.engine import store
from flows.engine.store import Progress
from robots.tasks import ring_outbox
from worktool_ai.lib.logs import get_logger

__all__ = ["GroupWriter", "writer"]

log = get_logger(__name__)

WINDOW_S = 0.005
MAX_GROUP = 200
#: Of psycopg's OperationalErrors those that say something about the data.
_ABOUT_DATA = (errors.ProgramLimitExceeded, errors.StatementTooComplex)


@dataclass(slots=True)
class _Entry:
    progress: Progress
    done: threading.Event = field(default_factory=threading.Event)
    held: dict[UUID, int] | None = None
    error: Exception | None = None


class GroupWriter:
    """Commits progress in groups. ``walking`` tells how many walks are under way: with one, nothing is waited for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Entry] = []
        self.walking = 0

    def commit(self, progress: Progress) -> int | None:
        """Write; return how many runs of the conversation are still queued, or None when the lease was lost."""
        entry = _Entry(progress)
        with self._lock:
            self._waiting.append(entry)
            leads = len(self._waiting) == 1
        if leads:
            self._lead()
        else:
            entry.done.wait()
        if entry.error is not None:
            raise entry.error
        assert entry.held is not None
        return entry.held.get(progress.claim.conversation_id)

    def _lead(self) -> None:
        if self.walking > 1:
            time.sleep(WINDOW_S)
        with self._lock:
            group, self._waiting = self._waiting, []
        for start in range(0, len(group), MAX_GROUP):
            self._write(group[start : start + MAX_GROUP])

    def _write(self, group: list[_Entry]) -> None:
        try:
            held = _store([entry.progress for entry in group])
        except Exception as error:
            if _blames_data(error):
                self._write_singly(group, error)
            else:
                _fail(group, error)
            return
        for entry in group:
            entry.held = held
            entry.done.set()
        if any(entry.progress.commands for entry in group):
            ring_outbox()

    def _write_singly(self, group: list[_Entry], error: Exception) -> None:
        """One member's bad data must not take the others with it."""
        for entry in group:
            if len(group) == 1:
                entry.error = error
            else:
                try:
                    entry.held = store.write([entry.progress])
                except Exception as own:
                    entry.error = own
            entry.done.set()


def _blames_data(error: Exception) -> bool:
    return not isinstance(error, OperationalError) or isinstance(error.__cause__, _ABOUT_DATA)


def _fail(group: list[_Entry], error: Exception) -> None:
    """Leave each walk to its lease."""
    for entry in group:
        entry.error = error
        entry.done.set()


def _store(group: list[Progress]) -> dict[UUID, int]:
    """Write; once more where the database, not the data, was the reason (a deadlock, a broken connection)."""
    try:
        return store.write(group)
    except OperationalError as error:
        if _blames_data(error):
            raise
        log.warning("engine.write_again", error=type(error.__cause__ or error).__name__, walks=len(group))
        return store.write(group)


writer = GroupWriter()
