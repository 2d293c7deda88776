"""One reader per web process: Redis stream -> frames -> the queues of its sockets, in memory.

A ``group_send`` per event and socket costs fourteen times as much (see ``docs/decisions``). The reader starts
with the first socket and ends with the last. Whatever Redis lost while it was away is read from the table.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import redis.asyncio
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from monitoring.live.frames import CloseCode, End, Frame
from worktool_ai.events import reader
from worktool_ai.events.cursor import Batch, BatchPosition, Cursor, stream_key
from worktool_ai.lib import background, logs

__all__ = ["Hub", "HubAway", "Subscription", "hub"]

logger = logs.get_logger(__name__)

#: Frames that wait for one slow socket; one more, and it is told to load its page again.
QUEUE_FRAMES = 256
READ_COUNT = 500
BLOCK_MS = 2_000
SOCKET_TIMEOUT_S = 10.0  # well above BLOCK_MS, or every quiet moment would look like an error
#: Batches kept in memory for sockets that come back after a short interruption.
REMEMBERED = 2_000
#: Seconds between two looks whether the table is ahead of the stream (a lost stream, a restored database).
CHECK_S = 5.0
RETRY_S = 1.0
START_S = 10.0


T = TypeVar("T")


class HubAway(Exception):
    """The event log cannot be read at the moment; the client tries again."""


class Subscription:
    """The queue of one socket. Never blocks the reader: a full queue becomes ``End(RELOAD)``."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Frame | End] = asyncio.Queue(QUEUE_FRAMES)
        self._ended = False

    def put(self, frame: Frame) -> None:
        if self._ended:
            return
        try:
            self._queue.put_nowait(frame)
        except asyncio.QueueFull:
            self.end(CloseCode.RELOAD)

    def end(self, code: CloseCode) -> None:
        """Drop what waits and end the socket."""
        if not self._ended:
            self._ended = True
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(End(code))

    async def get(self) -> list[Frame | End]:
        """Wait for something, then return all that is there."""
        items = [await self._queue.get()]
        while not self._queue.empty():
            items.append(self._queue.get_nowait())
        return items


class Hub:
    """The reader and its sockets, of one event loop."""

    def __init__(self) -> None:
        self.cursor: Cursor | None = None
        self._subscriptions: set[Subscription] = set()
        self._users = 0  # sockets, and those that are just joining
        self._recent: deque[Batch] = deque(maxlen=REMEMBERED)
        self._started = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._checked_at = 0.0

    async def join(self, after: Cursor | None) -> tuple[Subscription, Frame | None, Cursor]:
        """Subscribe; returns the subscription, what was missed after a cursor, and where it starts.

        The frame is None when the cursor cannot be resumed (or there was none): the client loads its page.
        Raises :class:`HubAway` when no store answers in time.
        """
        subscription = Subscription()
        self._users += 1
        try:
            await self._start()
            # no await in between: the queue holds exactly what comes after ``here``
            self._subscriptions.add(subscription)
            here = self.cursor
            assert here is not None
            missed = await self._missed(after, here) if after else None
        except BaseException:
            await self.leave(subscription)
            raise
        return subscription, None if missed is None else Frame(missed, here), here

    async def leave(self, subscription: Subscription) -> None:
        """Unsubscribe; with the last socket the reader ends."""
        self._subscriptions.discard(subscription)
        self._users -= 1
        if self._users == 0 and self._task is not None:
            task, self._task = self._task, None
            self._started.clear()
            await background.end(task)

    async def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            await asyncio.wait_for(self._started.wait(), START_S)
        except TimeoutError:
            raise HubAway from None

    async def _missed(self, after: Cursor, until: Cursor) -> Sequence[Batch] | None:
        recent = [batch for batch in self._recent if batch.position <= until.position]
        if after.epoch == until.epoch and recent and after.position >= recent[0].position:
            return [batch for batch in recent if batch.position > after.position]
        try:
            return await _in_thread(lambda: reader.replay(after, until))
        except DatabaseError:
            raise HubAway from None

    async def _run(self) -> None:
        """Read for as long as there are sockets, through restarts of either store."""
        # what was known when the last socket left is old by now
        self.cursor = None
        self._recent.clear()
        while True:
            client = redis.asyncio.Redis.from_url(
                settings.REDIS_BROKER_URL, socket_timeout=SOCKET_TIMEOUT_S, socket_connect_timeout=2
            )
            try:
                await self._read_on(client)
            except (RedisError, OSError, DatabaseError) as error:
                logger.warning("live.retry", error=type(error).__name__, reason=str(error)[:200])
                await asyncio.sleep(RETRY_S)
            except Exception:
                # whatever it is: sockets wait for frames, and a dead reader would look like a quiet day
                logger.exception("live.failed")
                await asyncio.sleep(RETRY_S)
            finally:
                await client.aclose()

    async def _read_on(self, client: redis.asyncio.Redis) -> None:
        await self._follow_table()
        while True:
            assert self.cursor is not None
            key = stream_key(self.cursor.epoch)
            answer = await client.xread({key: str(self.cursor.position)}, count=READ_COUNT, block=BLOCK_MS)
            if answer:
                self._hand_out([_batch(*entry) for entry in _entries(answer)], self.cursor)
            if time.monotonic() - self._checked_at > CHECK_S:
                await self._follow_table()

    async def _follow_table(self) -> None:
        """Take from the table what the stream no longer has; the usual answer is that there is nothing."""
        now = await _in_thread(reader.current)
        self._checked_at = time.monotonic()
        before = self.cursor
        missed = await _in_thread(lambda: reader.replay(before, now)) if before else []
        if missed is None:
            self._start_over()
        elif missed:
            self._hand_out(missed, now)
        if self.cursor is None or self.cursor.epoch != now.epoch or self.cursor.position < now.position:
            self.cursor = now
        self._started.set()

    def _start_over(self) -> None:
        """Another epoch, or too much was missed: everybody loads the page again."""
        self.cursor = None
        self._recent.clear()
        for subscription in self._subscriptions:
            subscription.end(CloseCode.RELOAD)

    def _hand_out(self, batches: Sequence[Batch], at: Cursor) -> None:
        self._recent.extend(batches)
        self.cursor = Cursor(at.epoch, batches[-1].position)
        frame = Frame(batches, self.cursor)
        for subscription in self._subscriptions:
            subscription.put(frame)


def _entries(answer: Any) -> Sequence[tuple[bytes, dict[bytes, bytes]]]:
    """Return the entries of the one stream that was asked for (a mapping or a list of pairs, by protocol)."""
    streams = answer.values() if isinstance(answer, dict) else (entries for _key, entries in answer)
    return [entry for entries in streams for entry in _flat(entries)]


def _flat(entries: Any) -> Any:
    return entries[0] if entries and isinstance(entries[0], list) else entries


def _batch(entry_id: bytes, fields: dict[bytes, bytes]) -> Batch:
    return Batch(BatchPosition.parse(entry_id.decode()), json.loads(fields[b"e"]))


async def _in_thread(call: Callable[[], T]) -> T:
    # a thread of its own: a database that hangs must not stop the thread that Django's pages share
    result: T = await database_sync_to_async(call, thread_sensitive=False)()
    return result


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """Return the hub of the running event loop."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())
