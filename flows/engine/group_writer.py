"""One writer per process: walks that want to commit at about the same time share one transaction.

The first to come leads: it waits as long as others keep coming, takes everything handed in meanwhile, writes it and
tells the others. While it writes the next ones gather, and the first of them leads then: the more there is to do, the
larger the groups. Works the same in greenlets and in threads; alone in the process nobody waits.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from django.db import OperationalError

from flows.engine import store
from flows.engine.claims import Claim
from flows.engine.outages import is_outage
from flows.engine.store import Progress
from robots.tasks import ring_outbox
from worktool_ai.lib.gathering import gather
from worktool_ai.lib.logs import get_logger

__all__ = ["GroupWriter", "writer"]

log = get_logger(__name__)

#: A leader who got company in one window waits for another, but never longer than that in all.
WINDOW_S, LONGEST_S = 0.005, 0.1
MAX_GROUP = 200


@dataclass(slots=True, eq=False)
class _Entry:
    """``turn`` comes when it is written, or when it is to lead (``leads``)."""

    progress: Progress
    turn: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    held: dict[Claim, int] | None = None
    error: Exception | None = None


class GroupWriter:
    """Commits progress in groups. ``walking`` tells how many walks are under way: with one, nothing is waited for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Entry] = []
        self._is_led = False
        self.walking = 0

    def commit(self, progress: Progress) -> int | None:
        """Write; return how many runs of the conversation are still queued, or None when the lease was lost."""
        entry = _Entry(progress)
        with self._lock:
            self._waiting.append(entry)
            entry.leads, self._is_led = not self._is_led, True
        try:
            if not entry.leads:
                entry.turn.wait()
            if entry.leads:
                self._gather()
        except BaseException:  # its greenlet was killed: nobody must wait for it to lead
            self._abandon(entry)
            raise
        if entry.leads:
            self._lead()
        if entry.error is not None:
            raise entry.error
        assert entry.held is not None
        return entry.held.get(progress.claim)

    def _gather(self) -> None:
        """Wait while walks keep coming; not for those that all wait here already."""
        gather(
            lambda: len(self._waiting),
            lambda: len(self._waiting) < min(self.walking, MAX_GROUP),
            window_s=WINDOW_S,
            longest_s=LONGEST_S,
        )

    def _abandon(self, entry: _Entry) -> None:
        with self._lock:
            if entry in self._waiting:
                self._waiting.remove(entry)
        if entry.leads:
            self._hand_over()

    def _lead(self) -> None:
        """Write what waits, the leader's own first, and hand over to the next one who waits."""
        with self._lock:
            group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
        try:
            self._write(group)
        finally:
            self._hand_over()
        if any(entry.held and entry.progress.commands for entry in group):
            ring_outbox()

    def _hand_over(self) -> None:
        with self._lock:
            successor = self._waiting[0] if self._waiting else None
            self._is_led = successor is not None
        if successor:
            successor.leads = True
            successor.turn.set()

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
            entry.turn.set()

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
            entry.turn.set()


def _blames_data(error: Exception) -> bool:
    return not (isinstance(error, OperationalError) and is_outage(error))


def _fail(group: list[_Entry], error: Exception) -> None:
    """Leave each walk to its lease."""
    for entry in group:
        entry.error = error
        entry.turn.set()


def _store(group: list[Progress]) -> dict[Claim, int]:
    """Write; once more where the database, not the data, was the reason (a deadlock, a broken connection)."""
    try:
        return store.write(group)
    except OperationalError as error:
        if _blames_data(error):
            raise
        log.warning("engine.write_again", error=type(error.__cause__ or error).__name__, walks=len(group))
        return store.write(group)


writer = GroupWriter()
