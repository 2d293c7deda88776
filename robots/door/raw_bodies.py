"""The last 200 callbacks as they came, for people: masked, 24 hours, in the broker's Redis.

Shown on an admin page, so that somebody who connects a robot sees what arrives and why it was refused. Best effort:
nothing waits for it and nothing depends on it.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
from django.conf import settings

from worktool_ai.lib.async_stores import redis_client
from worktool_ai.lib.background import end
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.stores import redis_store

__all__ = ["KEPT", "KEPT_S", "RawBodies", "RawBody", "latest", "masked"]

logger = get_logger(__name__)

KEPT = 200
KEPT_S = 24 * 3600
EVERY_S = 0.2
LIMIT = 2048
#: What is looked at of a body: a picture's base64 is cut out of it before it is shortened.
_LOOKED_AT = 64 * 1024
_BASE64 = re.compile(r"[A-Za-z0-9+/=\\]{200,}")
_PHONE = re.compile(r"(?<!\d)(1[3-9]\d)[ -]?\d{4}[ -]?(\d{4})(?!\d)")
#: Without any of these no name below can stand in a text: most bodies need not be searched for them.
_SECRET_WORDS = ("robot", "key", "token", "secret", "password")
_NAMED_SECRET = re.compile(
    r'((?<![a-z])"?(?:robot_?id|robot_?key|key|token|secret|password)"?\s*[:=]\s*"?)[^"&,\s}]+', re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class RawBody:
    """One request to the door. ``reason`` says in one word why it was refused, or that it started nothing."""

    at: datetime
    kind: str
    status: int
    reason: str
    robot: str
    content_type: str
    size: int
    body: str


@dataclass(frozen=True, slots=True)
class _Noted:
    """As taken from the request, still unmasked: masking is done later, and only for what is kept."""

    at: float
    kind: str
    status: int
    reason: str
    robot: str
    content_type: str
    body: bytes
    size: int
    secrets: tuple[str, ...]


class RawBodies:
    """Collects requests and pushes them in batches; what a burst brings beyond 200 is dropped unseen."""

    def __init__(self) -> None:
        self._noted: deque[_Noted] = deque(maxlen=KEPT)
        self._redis = redis_client(settings.REDIS_BROKER_URL, 1.0)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="door-raw-bodies")

    async def stop(self) -> None:
        await end(self._task)
        await self._push()
        await self._redis.aclose()

    def note(
        self,
        *,
        kind: str,
        status: int,
        reason: str,
        robot: str,
        content_type: str = "",
        body: bytes = b"",
        secrets: Iterable[str] = (),
    ) -> None:
        """Remember one request. ``secrets`` are texts that must not be shown: robot id and key of its address."""
        self._noted.append(
            _Noted(time.time(), kind, status, reason, robot, content_type, body[:_LOOKED_AT], len(body), tuple(secrets))
        )

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            await self._push()

    async def _push(self) -> None:
        if not self._noted:
            return
        rows = [_row(self._noted.popleft()) for _ in range(len(self._noted))]
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.lpush(_key(), *rows)
                pipe.ltrim(_key(), 0, KEPT - 1)
                pipe.expire(_key(), KEPT_S)
                await pipe.execute()
        except (redis.RedisError, OSError) as error:
            logger.debug("door.raw_bodies_lost", count=len(rows), error=type(error).__name__)


def latest() -> list[RawBody]:
    """Return what is kept, newest first; raises ``redis.RedisError`` when the broker's Redis is away."""
    with redis_store(settings.REDIS_BROKER_URL) as client:
        stored: Sequence[Any] = client.lrange(_key(), 0, KEPT - 1)
    oldest = time.time() - KEPT_S
    rows = [json.loads(row) for row in stored]
    return [RawBody(**{**row, "at": datetime.fromtimestamp(row["at"], UTC)}) for row in rows if row["at"] > oldest]


def masked(body: bytes, secrets: Iterable[str] = ()) -> str:
    """Return a body as people may see it: no credentials, no phone numbers, no pictures, at most 2 KB."""
    text = body.decode("utf-8", "replace")
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "•••")
    text = _BASE64.sub(lambda found: f"…({len(found[0])})…", text)
    folded = text.casefold()  # as the pattern reads letters
    if any(word in folded for word in _SECRET_WORDS):
        text = _NAMED_SECRET.sub(r"\1•••", text)
    text = _PHONE.sub(r"\1****\2", text)
    return text if len(text) <= LIMIT else f"{text[:LIMIT]}…"


def _row(noted: _Noted) -> str:
    shown = {
        "at": noted.at,
        "kind": noted.kind,
        "status": noted.status,
        "reason": noted.reason,
        "robot": noted.robot,
        "content_type": noted.content_type[:80],
        "size": noted.size,
        "body": masked(noted.body, noted.secrets),
    }
    return json.dumps(shown, ensure_ascii=False)


def _key() -> str:
    return f"{settings.REDIS_PREFIX}:door:bodies"
