"""Where callbacks become durable: the inbound stream first, the PostgreSQL inbox when that is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from django.conf import settings

from robots.door.batching import BatchWriter, StoreAway
from robots.stream import Callback, fields_of, stream_of
from worktool_ai.lib import failpoints
from worktool_ai.lib.async_stores import connect_postgres, redis_client
from worktool_ai.lib.logs import get_logger

__all__ = ["CallbackStore", "durability_problems"]

logger = get_logger(__name__)

STREAM_S = 0.4
INBOX_S = 1.6
#: Larger bodies (pictures) never travel through Redis.
STREAM_MAX_BYTES = 64 * 1024
#: Bytes that one inbox statement carries at most, and rows.
INBOX_MAX_BYTES = 16 * 1024 * 1024
INBOX_MAX_ROWS = 200

_INSERT = """
INSERT INTO robots_inboxentry (id, partition, robot_id, kind, content_type, body, received_at)
SELECT * FROM unnest(%s::uuid[], %s::int[], %s::uuid[], %s::text[], %s::text[], %s::bytea[], %s::timestamptz[])
ON CONFLICT (id) DO NOTHING
"""


class CallbackStore:
    """Writes callbacks so that they survive the loss of any one process, and of Redis."""

    def __init__(self) -> None:
        self._redis = redis_client(settings.REDIS_URL, STREAM_S)
        self._postgres: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._stream = BatchWriter("redis", self._add_to_stream)
        self._inbox = BatchWriter("postgres", self._add_to_inbox, most=INBOX_MAX_ROWS)

    def start(self) -> None:
        self._stream.start()
        self._inbox.start()

    async def stop(self) -> None:
        await self._stream.stop()
        await self._inbox.stop()
        await self._redis.aclose()
        await self._close_postgres()

    async def put(self, callback: Callback) -> None:
        """Make a callback durable; raises :class:`StoreAway` when no store took it."""
        if len(callback.body) <= STREAM_MAX_BYTES and self._stream.available():
            with suppress(StoreAway):
                await self._stream.put(callback, STREAM_S)
                return
        await self._inbox.put(callback, INBOX_S)

    async def durability_problems(self) -> list[str]:
        """Return what the stream's Redis is set to that could lose a callback."""
        return await durability_problems(self._redis)

    async def _add_to_stream(self, callbacks: Sequence[Callback]) -> None:
        failpoints.reach("door.xadd")
        async with self._redis.pipeline(transaction=False) as pipe:
            for callback in callbacks:
                pipe.xadd(stream_of(callback.partition), fields_of(callback))  # type: ignore[arg-type]
            await pipe.execute()

    async def _add_to_inbox(self, callbacks: Sequence[Callback]) -> None:
        async with asyncio.timeout(INBOX_S):
            try:
                for group in _in_groups(callbacks):
                    await self._insert(group)
            except BaseException:
                await self._close_postgres()
                raise

    async def _insert(self, callbacks: Sequence[Callback]) -> None:
        if self._postgres is None or self._postgres.closed:
            self._postgres = await connect_postgres("worktool-door-inbox")
        await self._postgres.execute(_INSERT, _columns(callbacks))

    async def _close_postgres(self) -> None:
        held, self._postgres = self._postgres, None
        if held is not None:
            with suppress(psycopg.Error, OSError):
                await held.close()


def _columns(callbacks: Sequence[Callback]) -> list[list[Any]]:
    return [
        [callback.id for callback in callbacks],
        [callback.partition for callback in callbacks],
        [callback.robot_id for callback in callbacks],
        [callback.kind for callback in callbacks],
        [callback.content_type for callback in callbacks],
        [callback.body for callback in callbacks],
        [callback.received_at for callback in callbacks],
    ]


def _in_groups(callbacks: Sequence[Callback]) -> list[list[Callback]]:
    """Split where a statement would carry too much: a burst of pictures."""
    groups: list[list[Callback]] = [[]]
    size = 0
    for callback in callbacks:
        if groups[-1] and size + len(callback.body) > INBOX_MAX_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(callback)
        size += len(callback.body)
    return groups


async def durability_problems(client: Any) -> list[str]:
    """Return in words what a Redis is set to that could lose a callback; raises ``redis.RedisError``."""
    wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
    found = await client.config_get(*wanted)
    actual = {_text(name): _text(value) for name, value in found.items()}
    wrong = {name: actual.get(name, "?") for name, value in wanted.items() if actual.get(name) != value}
    return [f"{name} is {value}, not {wanted[name]}" for name, value in wrong.items()]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
