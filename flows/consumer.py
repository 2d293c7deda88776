"""The inbound consumer: from the stream and the inbox to stored lines and queued runs, one transaction per batch.

Infrastructure errors are retried for ever and count nothing: what was read stays in its stream until its transaction
has committed. A batch that fails because of its data is retried line by line; the bad one goes to the dead letters.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import redis
from django.db import connection, transaction

from flows.engine.outages import is_outage
from robots import hotpath
from robots.hotpath import Settlement
from robots.inbound import inbox
from robots.inbound.inbox import Taken
from robots.inbound.ownership import Ownership
from robots.inbound.reader import Entry, Reading, StreamReader
from robots.inbound.store import StoredLine, store_batch
from robots.models import DeadLetter, Reason, Robot
from robots.models.inbound import CallbackKind
from robots.stream import Callback, from_fields, partitions
from worktool_ai.lib import clock, failpoints, heartbeats
from worktool_ai.lib.ids import uuid7
from worktool_ai.lib.logs import get_logger

__all__ = ["Consumer"]

logger = get_logger(__name__)

BACKOFF_S = (0.1, 5.0)
STANDBY_S = 0.5
#: While Redis is away the inbox waits for it, because older lines may lie there, and nothing can be sent without it
#: anyway; so long at most, which is less than a line is fresh.
INBOX_PATIENCE = timedelta(minutes=4)
LAST_ID = UUID(int=2**128 - 1)
#: Between two batches for each callback of the first, at most the second figure: where many come, they share a batch.
PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.025


class Consumer:
    """Consumes the partitions that it can get until :meth:`stop`.

    ``start_runs(lines)`` queues runs in the batch's transaction and returns how many conversations are due;
    ``ring(count)`` rings for workers after the commit and never fails.
    """

    def __init__(
        self,
        start_runs: Callable[[Sequence[StoredLine]], int],
        ring: Callable[[int], None],
        wanted: Iterable[int] | None = None,
        block_ms: int = 500,
    ) -> None:
        self._start_runs = start_runs
        self._ring = ring
        self._ownership = Ownership(partitions() if wanted is None else wanted)
        self._reader = StreamReader(block_ms)
        self._stopping = threading.Event()
        self._failures = 0

    def stop(self) -> None:
        """End after the batch at hand; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Consume until stopped. Never raises for a store that is away."""
        try:
            while not self._stopping.is_set():
                self._attempt()
        finally:
            self._ownership.drop()
            with suppress(redis.RedisError, OSError):
                self._reader.close()

    def _attempt(self) -> None:
        try:
            self.step()
            self._recovered()
        except Exception as error:
            if not is_outage(error):
                raise
            self._back_off(error)

    def step(self) -> None:
        """Handle what is there, or wait for it for half a second."""
        owned = self._ownership.refresh()
        self._reader.own(owned)
        self._beat()
        if not owned:
            self._stopping.wait(STANDBY_S)
            return
        began = uuid7()
        try:
            reading = self._reader.read()
        except redis.RedisError:
            self._take_inbox_alone(owned)
            raise
        self._handle(reading, began)
        if len(reading.entries) > 1:
            self._stopping.wait(min(len(reading.entries) * PAUSE_S, LONGEST_PAUSE_S))

    # -- batches -------------------------------------------------------------------------------------------------------

    def _handle(self, reading: Reading, began: UUID) -> None:
        """Handle stream entries, each inbox entry before them in its place; then remove them.

        Of a partition whose stream was empty those inbox entries have their turn that are older than the read.
        """
        callbacks = self._decoded(reading.entries)
        bounds = dict.fromkeys(reading.drained, began)
        for callback in callbacks:
            bounds[callback.partition] = max(callback.id, bounds.get(callback.partition, callback.id))
        left: Sequence[Callback] | None = callbacks
        while left is not None:
            left = self._handle_next(left, bounds)
        failpoints.reach("consumer.committed")
        if reading.entries:
            self._reader.remove(reading.entries)

    def _handle_next(self, entries: Sequence[Callback], bounds: Mapping[int, UUID]) -> Sequence[Callback] | None:
        """Handle one transaction's worth; return the stream entries that come after it, None when nothing is left."""
        try:
            with transaction.atomic():
                now, later = _next(inbox.take(bounds), entries)
                due = self._process(now)
        except Exception as error:
            if is_outage(error):
                raise
            return self._handle_singly(entries, bounds)
        self._ring(due)
        return later

    def _handle_singly(self, entries: Sequence[Callback], bounds: Mapping[int, UUID]) -> Sequence[Callback] | None:
        """Handle the same line by line, because one of them cannot be stored."""
        with transaction.atomic():
            now, later = _next(inbox.take(bounds), entries)
            transaction.set_rollback(True)
        for callback in now:
            self._handle_one(callback)
        return later

    def _handle_one(self, callback: Callback) -> None:
        try:
            with transaction.atomic():
                inbox.remove([callback.id])
                due = self._process([callback])
        except Exception as error:
            if is_outage(error):
                raise
            self._set_aside(callback, error)
            return
        self._ring(due)

    def _process(self, callbacks: Sequence[Callback]) -> int:
        """Store callbacks and queue their runs, in the open transaction; returns how many conversations are due."""
        if not callbacks:
            return 0
        batch = store_batch(callbacks)
        due = self._start_runs(batch.lines) if batch.lines else 0
        failpoints.reach("consumer.before_commit")
        return due

    def _take_inbox_alone(self, owned: frozenset[int]) -> None:
        """While Redis is away, handle what has waited for it long enough."""
        try:
            with transaction.atomic():
                bounds = dict.fromkeys(owned, LAST_ID)
                due = self._process(inbox.take(bounds, until=clock.now() - INBOX_PATIENCE).callbacks)
        except Exception as error:
            # A bad line is told apart when Redis is back and the usual way is taken.
            logger.warning("inbound.inbox_waits", error=type(error).__name__)
        else:
            self._ring(due)

    # -- dead letters --------------------------------------------------------------------------------------------------

    def _decoded(self, entries: Sequence[Entry]) -> list[Callback]:
        callbacks = []
        for entry in entries:
            try:
                callbacks.append(from_fields(entry.partition, entry.fields))
            except (KeyError, ValueError) as error:
                self._set_aside(_unreadable(entry), error)
        return callbacks

    def _set_aside(self, callback: Callback, error: Exception) -> None:
        """Keep a callback that cannot be processed, with why; its line, where it can be stored, says so too."""
        logger.error("inbound.dead_letter", messageId=str(callback.id), kind=callback.kind, exc_info=error)
        with transaction.atomic():
            inbox.remove([callback.id])
            DeadLetter.objects.bulk_create(
                [_dead_letter(callback, error)],
                update_conflicts=True,  # one that was handled again and failed again is open again
                unique_fields=["id"],
                update_fields=["error", "redriven_at"],
            )
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                lines = store_batch([callback]).lines
                settled = [Settlement(message_id=line.message_id, reason=Reason.DEAD_LETTER) for line in lines]
                hotpath.settle_messages(cursor, settled)
        except Exception as second:
            if is_outage(second):
                raise
            logger.info("inbound.not_storable", messageId=str(callback.id), error=type(second).__name__)

    # -- life ----------------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        owned, wanted = len(self._ownership.owned), len(self._ownership.wanted)
        heartbeats.beat("consumer", detail=f"{owned} of {wanted} partitions" if owned else "standby")

    def _recovered(self) -> None:
        if self._failures:
            logger.info("inbound.recovered", attempts=self._failures)
        self._failures = 0

    def _back_off(self, error: Exception) -> None:
        self._failures += 1
        first, most = BACKOFF_S
        wait = min(most, first * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)
        logger.warning("inbound.retry", error=type(error).__name__, reason=str(error)[:200], wait_s=round(wait, 2))
        if not isinstance(error, redis.RedisError):
            self._ownership.drop()
        self._stopping.wait(wait)


def _next(taken: Taken, entries: Sequence[Callback]) -> tuple[list[Callback], Sequence[Callback] | None]:
    """Return what comes next, in order, and the stream entries that come after it (None: nothing does).

    While the inbox has more, stream entries have their turn as soon as no older inbox entry is left.
    """
    if not taken.more:
        return _merged(taken.callbacks, entries), None
    last = taken.callbacks[-1].id
    now, later = [one for one in entries if one.id <= last], [one for one in entries if one.id > last]
    return _merged(taken.callbacks, now), later


def _merged(first: Sequence[Callback], second: Sequence[Callback]) -> list[Callback]:
    """Put inbox entries in their place among stream entries; without any, the stream's own order stands."""
    if not first:
        return list(second)
    return sorted([*first, *second], key=lambda callback: callback.id)


def _unreadable(entry: Entry) -> Callback:
    """Wrap an entry that the door cannot have written, so that it can be looked at."""
    return Callback(
        id=uuid7(),
        kind=CallbackKind.MESSAGE,
        robot_id=UUID(int=0),
        partition=entry.partition,
        received_at=clock.now(),
        content_type="",
        body=repr(entry.fields).encode(),
    )


def _storable(text: str) -> str:
    """An error may quote the very characters that could not be stored."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _dead_letter(callback: Callback, error: Exception) -> DeadLetter:
    return DeadLetter(
        id=callback.id,
        robot=Robot.objects.filter(pk=callback.robot_id).first(),
        kind=callback.kind if callback.kind in CallbackKind.values else CallbackKind.MESSAGE,
        content_type=callback.content_type[:120],
        body=callback.body,
        error=_storable(f"{type(error).__name__}: {error}"[:2000]),
        received_at=callback.received_at,
    )
