"""``/healthz`` (alive) and ``/readyz`` (each part with its own state), beside Django: they answer when it cannot.

Ready means that callbacks can be taken. The first 200 comes when every part has been seen working once; afterwards a
part that fails is shown as degraded or down, but only a door that can store nothing (or missing migrations) is a 503.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import psycopg
import redis
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from monitoring.pressure import OLDEST_S
from robots.door.http import Receive, Scope, Send
from robots.door.stores import durability_problems
from robots.stream import partitions, stream_of
from worktool_ai.lib import heartbeats
from worktool_ai.lib.async_stores import connect_postgres, redis_client
from worktool_ai.lib.heartbeats import Heartbeat

__all__ = ["PATHS", "Health", "Part", "Status"]

PATHS = frozenset({"/healthz", "/readyz"})

Status = Literal["ok", "degraded", "down"]

#: Seconds that one store may take to answer.
TIMEOUT_S = 0.5
#: Many who ask at once are answered from one look.
REUSED_S = 0.5
#: Age of a sign of life from which on its part is called slow, and dead.
SLOW_S, DEAD_S = 8.0, 20.0
#: What changes rarely (migrations, settings of Redis) is looked at so often.
SELDOM_S = 10.0

_INBOX = "SELECT count(*), coalesce(extract(epoch FROM now() - min(received_at))::float8, 0) FROM robots_inboxentry"
_MIGRATIONS = "SELECT app, name FROM django_migrations"


@dataclass(frozen=True, slots=True)
class Part:
    """One part's state. ``lag``: what waits (inbound: callbacks, worker: conversations, outbox: commands), else seconds
    since the last sign of life.
    """

    status: Status
    detail: str = ""
    lag: float = 0

    def shown(self) -> dict[str, Any]:
        return {"status": self.status, "detail": self.detail, "lag": round(self.lag, 1)}


@dataclass(slots=True)
class _Facts:
    """What one look found; None where the store did not answer in time."""

    inbox: tuple[int, float] | None = None
    postgres_error: str = ""
    stream: tuple[int, float] | None = None
    redis_error: str = ""
    signs: Mapping[str, Heartbeat] | None = None
    broker_error: str = ""


class Health:
    """The two addresses. Opens its connections at the first question; ``stop`` closes them."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen: set[str] = set()
        self._missing: frozenset[tuple[str, str]] | None = None
        self._problems: list[str] = []

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._durable = redis_client(settings.REDIS_URL, TIMEOUT_S)
        self._broker = redis_client(settings.REDIS_BROKER_URL, TIMEOUT_S)
        self._postgres: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._lock = asyncio.Lock()
        self._answer: tuple[int, bytes] | None = None
        self._looked_at = self._migrations_at = self._problems_at = float("-inf")

    async def stop(self) -> None:
        if self._loop is None:
            return
        self._loop = None
        await self._durable.aclose()
        await self._broker.aclose()
        await self._close_postgres()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            status, body = 405, b""
        elif scope["path"] == "/healthz":
            status, body = 200, b'{"status":"ok"}'
        else:
            status, body = await self.ready()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def ready(self) -> tuple[int, bytes]:
        """Return status and body of ``/readyz``."""
        if self._loop is not asyncio.get_running_loop():
            self._start()
        async with self._lock:
            if self._answer is None or time.monotonic() - self._looked_at > REUSED_S:
                self._answer = self._judge(await self._look())
                self._looked_at = time.monotonic()
            return self._answer

    # -- judging -------------------------------------------------------------------------------------------------------

    def _judge(self, facts: _Facts) -> tuple[int, bytes]:
        parts = {
            "postgres": self._postgres_part(facts),
            "redis": self._redis_part(facts),
            "inbound": _inbound_part(facts),
        }
        for name in heartbeats.PARTS:
            parts[name] = _heartbeat_part(facts, name)
        self._seen |= {name for name, part in parts.items() if part.status == "ok"}
        can_store = facts.inbox is not None or facts.stream is not None
        ready = can_store and not self._missing and self._seen >= parts.keys()
        all_ok = all(part.status == "ok" for part in parts.values())
        status: Status = "down" if not ready else "ok" if all_ok else "degraded"
        body = {
            "status": status,
            "version": settings.VERSION,
            "parts": {name: part.shown() for name, part in parts.items()},
        }
        return 200 if ready else 503, json.dumps(body, ensure_ascii=False).encode()

    def _postgres_part(self, facts: _Facts) -> Part:
        if facts.inbox is None:
            return Part("down", facts.postgres_error)
        if self._missing:
            return Part("down", f"{len(self._missing)} migrations are missing")
        return Part("ok")

    def _redis_part(self, facts: _Facts) -> Part:
        if facts.stream is None:
            return Part("down", facts.redis_error)
        if facts.signs is None:
            return Part("degraded", f"broker: {facts.broker_error}")
        return Part("ok", "; ".join(self._problems))

    # -- looking -------------------------------------------------------------------------------------------------------

    async def _look(self) -> _Facts:
        facts = _Facts()
        await asyncio.gather(self._ask_postgres(facts), self._ask_redis(facts), self._ask_broker(facts))
        return facts

    async def _ask_postgres(self, facts: _Facts) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if self._postgres is None or self._postgres.closed:
                    self._postgres = await connect_postgres("worktool-health")
                await self._look_for_migrations(self._postgres)
                row = await (await self._postgres.execute(_INBOX)).fetchone()
                facts.inbox = (row[0], row[1]) if row else None
        except psycopg.errors.UndefinedTable:
            self._missing = _on_disk()
            facts.postgres_error = "no tables yet"
        except (psycopg.Error, OSError, TimeoutError) as error:
            facts.postgres_error = type(error).__name__
            await self._close_postgres()

    async def _look_for_migrations(self, postgres: psycopg.AsyncConnection[tuple[Any, ...]]) -> None:
        if not self._missing and time.monotonic() - self._migrations_at < SELDOM_S:
            return
        rows = await (await postgres.execute(_MIGRATIONS)).fetchall()
        self._missing = _on_disk() - {(app, name) for app, name in rows}
        self._migrations_at = time.monotonic()

    async def _ask_redis(self, facts: _Facts) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                facts.stream = await self._streams()
                await self._look_for_problems()
        except (redis.RedisError, OSError, TimeoutError) as error:
            facts.redis_error = type(error).__name__

    async def _streams(self) -> tuple[int, float]:
        """Return how many entries wait, and how long the oldest has."""
        async with self._durable.pipeline(transaction=False) as pipe:
            for number in partitions():
                pipe.xlen(stream_of(number))
                pipe.xrange(stream_of(number), count=1)
            answers: list[Any] = await pipe.execute()
        first = [entries[0][0] for entries in answers[1::2] if entries]
        oldest = min((int(entry_id.split(b"-")[0]) / 1000 for entry_id in first), default=time.time())
        return sum(answers[0::2]), max(0.0, time.time() - oldest)

    async def _look_for_problems(self) -> None:
        if time.monotonic() - self._problems_at < SELDOM_S:
            return
        try:
            self._problems = await durability_problems(self._durable)
        except redis.ResponseError:  # a managed Redis may not tell
            self._problems = ["its durability cannot be checked"]
        self._problems_at = time.monotonic()

    async def _ask_broker(self, facts: _Facts) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                fields = await self._broker.hgetall(heartbeats.key())
            facts.signs = heartbeats.newest(heartbeats.parse(fields))
        except (redis.RedisError, OSError, TimeoutError) as error:
            facts.broker_error = type(error).__name__

    async def _close_postgres(self) -> None:
        held, self._postgres = self._postgres, None
        if held is not None:
            with suppress(psycopg.Error, OSError):
                await held.close()


def _inbound_part(facts: _Facts) -> Part:
    """The stream and the inbox together: how much waits, and for how long."""
    known = [one for one in (facts.stream, facts.inbox) if one is not None]
    waiting = sum(count for count, _age in known)
    oldest = max((age for count, age in known if count), default=0.0)
    detail = f"{waiting} waiting, the oldest for {oldest:.0f} s" if waiting else "nothing waits"
    if not known:
        return Part("down", "no store answers")
    is_high = waiting > settings.INBOUND_BACKLOG_LIMIT or oldest > OLDEST_S
    return Part("ok" if len(known) == 2 and not is_high else "degraded", detail, waiting)


def _heartbeat_part(facts: _Facts, name: str) -> Part:
    if facts.signs is None:
        return Part("degraded", "its signs of life cannot be read")
    sign = facts.signs.get(name)
    if sign is None:
        return Part("down", "not seen yet")
    age = sign.age(time.time())
    if age < SLOW_S:
        return _within_limit(name, sign)
    status: Status = "degraded" if age < DEAD_S else "down"
    return Part(status, f"last seen {age:.0f} s ago", age)


def _within_limit(name: str, sign: Heartbeat) -> Part:
    """A part that lives, and whether what waits for it is more than it should be."""
    limits = {"worker": settings.ENGINE_BACKLOG_LIMIT, "outbox": settings.OUTBOX_BACKLOG_LIMIT}
    limit = limits.get(name)
    if limit is None or sign.lag <= limit:
        return Part("ok", sign.detail, sign.lag)
    return Part("degraded", f"{sign.detail}; the limit is {limit}", sign.lag)


@cache
def _on_disk() -> frozenset[tuple[str, str]]:
    """Return the migrations of this release; they do not change while it runs."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
