"""The relay: event rows -> Redis stream, each exactly once and in order, behind every open transaction.

A transaction that began earlier may commit later, so "larger than the last id" would skip its events for ever.
The relay therefore reads only rows whose transaction id is below ``pg_snapshot_xmin``: everything older has
ended by then. The stream's ids are the rows' own ``(xid, id)``: what a restarted relay repeats is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg
import redis
from django.conf import settings

from worktool_ai.events.cursor import BatchPosition, stream_key
from worktool_ai.lib import logs
from worktool_ai.lib.postgres import parameters
from worktool_ai.lib.stores import redis_store

__all__ = ["Relay", "run"]

logger = logs.get_logger(__name__)

#: Entries kept for panels that fall behind; older ones are read from the table.
STREAM_LENGTH = 20_000
BATCH_ROWS = 500
#: Seconds between two looks. Each that finds something costs a second statement, which writes.
POLL_S = 0.1
RETRY_MIN_S, RETRY_MAX_S = 0.2, 5.0
#: Session-level advisory lock: one relay, whoever else is started.
LOCK_ID = 0x5E1A_7E1A

#: The items as text: they are passed on as they are. The position in subqueries: joined, it would be compared with
#: every row of the last two days at each look, because the index could not begin there.
_NEXT = """
WITH at AS MATERIALIZED (SELECT epoch, xid, batch_id FROM events_relayposition WHERE id = 1)
SELECT xid, id, items::text, (SELECT epoch FROM at) FROM events_eventbatch
WHERE (xid, id) > ((SELECT xid FROM at), (SELECT batch_id FROM at))
  AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xid, id LIMIT %s
"""
_MOVE = (
    "UPDATE events_relayposition SET xid = %s::text::xid8, batch_id = %s, updated_at = clock_timestamp() "
    "WHERE id = 1 AND epoch = %s"
)
_FIRST = (
    "INSERT INTO events_relayposition (id, epoch, xid, batch_id, updated_at) "
    "VALUES (1, gen_random_uuid(), '0'::xid8, 0, clock_timestamp()) ON CONFLICT DO NOTHING"
)


class Relay:
    """One connection to each store; any error of either is the caller's: it makes a new relay and goes on."""

    def __init__(self) -> None:
        self._database = psycopg.connect(**parameters(), autocommit=True)
        self._redis = redis_store(settings.REDIS_BROKER_URL, 5.0, connect_s=2.0)

    def close(self) -> None:
        self._database.close()
        self._redis.close()

    def lock(self) -> bool:
        """Try to become the one relay; kept until the connection ends."""
        row = self._database.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_ID]).fetchone()
        self._database.execute(_FIRST)
        return bool(row and row[0])

    def step(self) -> int:
        """Publish what is due and move on; returns the number of batches."""
        rows = self._database.execute(_NEXT, [BATCH_ROWS]).fetchall()
        if rows:
            *_, epoch = rows[-1]
            batches = [(BatchPosition(int(xid), number), items) for xid, number, items, _ in rows]
            self._publish(epoch, batches)
            last, _items = batches[-1]
            self._database.execute(_MOVE, [str(last.xid), last.id, epoch])
        return len(rows)

    def _publish(self, epoch: UUID, batches: Sequence[tuple[BatchPosition, str]]) -> None:
        key = stream_key(epoch)
        pipeline = self._redis.pipeline(transaction=False)
        for position, items in batches:
            pipeline.xadd(key, {"e": items}, id=str(position), maxlen=STREAM_LENGTH, approximate=True)
        for answer in pipeline.execute(raise_on_error=False):
            if isinstance(answer, Exception) and not _is_repeat(answer):
                raise answer


def _is_repeat(error: Exception) -> bool:
    return isinstance(error, redis.ResponseError) and "equal or smaller" in str(error)


def run(stop: threading.Event, beat: Callable[[], Any]) -> None:
    """Relay until told to stop, through restarts of either store. ``beat`` tells that the relay is alive."""
    pause = RETRY_MIN_S
    while not stop.is_set():
        try:
            _relay_until_error(stop, beat)
            pause = RETRY_MIN_S
        except (psycopg.Error, redis.RedisError, OSError) as error:
            logger.warning("relay.retry", error=type(error).__name__, reason=str(error)[:200], in_s=pause)
            stop.wait(pause)
            pause = min(pause * 2, RETRY_MAX_S)


def _relay_until_error(stop: threading.Event, beat: Callable[[], Any]) -> None:
    relay = Relay()
    try:
        while not relay.lock():
            beat()  # a second relay is alive, and waits to take over
            if stop.wait(1.0):
                return
        logger.info("relay.started")
        while not stop.is_set():
            count = relay.step()
            beat()
            if count < BATCH_ROWS:
                stop.wait(POLL_S)
    finally:
        relay.close()
