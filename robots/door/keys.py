"""Who may post: digests of robots and callback keys in memory.

A background task reads them every second, so a change anywhere is known here within two; when PostgreSQL is away the
last copy serves on, and a door that starts meanwhile takes the copy that its predecessor left in Redis.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import psycopg
import redis
from django.conf import settings

from worktool_ai.lib.async_stores import connect_postgres, redis_client
from worktool_ai.lib.background import end
from worktool_ai.lib.crypto import fingerprint
from worktool_ai.lib.logs import get_logger

__all__ = ["KeyCache", "KeysUnknown", "RobotKeys"]

logger = get_logger(__name__)

EVERY_S = 1.0
TIMEOUT_S = 1.5
FIRST_LOAD_S = 1.0
REFUSED_KEPT = 4096

_QUERY = """
SELECT id::text, slug, robot_id_digest, callback_key_digest, previous_key_digest,
       coalesce(extract(epoch FROM previous_key_until)::float8, 0)
FROM robots_robot ORDER BY id
"""


class KeysUnknown(Exception):
    """No copy of the keys could be had yet: nobody can be let in, and nobody may be called wrong."""


@dataclass(frozen=True, slots=True)
class RobotKeys:
    """One robot as the door knows it. The previous key is valid before ``previous_until`` (epoch seconds)."""

    id: str
    slug: str
    robot_digest: str
    key_digest: str
    previous_digest: str
    previous_until: float

    @property
    def uuid(self) -> UUID:
        return UUID(self.id)


_NOBODY = RobotKeys("", "", "", "0" * 64, "0" * 64, 0.0)


class KeyCache:
    """All robots' digests. ``find`` costs the same whether the robot exists or not."""

    def __init__(self) -> None:
        self._robots: list[RobotKeys] | None = None
        self._by_robot: dict[str, RobotKeys] = {}
        self._by_key: dict[str, RobotKeys] = {}
        self._refused: OrderedDict[tuple[str | None, str], None] = OrderedDict()
        #: By what came in, of the copy at hand: digests of both are most of what a known caller would cost.
        self._accepted: dict[tuple[str | None, str], RobotKeys] = {}
        self._loaded = asyncio.Event()
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._copy = redis_client(settings.REDIS_URL, TIMEOUT_S)
        self._copy_key = f"{settings.REDIS_PREFIX}:door:keys"
        self._task: asyncio.Task[None] | None = None
        self._behind = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="door-keys")

    async def stop(self) -> None:
        await end(self._task)
        await self._close()
        await self._copy.aclose()

    async def ready(self) -> None:
        """Wait for the first copy; raises :class:`KeysUnknown` when there is none within a second."""
        if self._robots is None:
            try:
                async with asyncio.timeout(FIRST_LOAD_S):
                    await self._loaded.wait()
            except TimeoutError:
                raise KeysUnknown from None

    def find(self, robot_id: str | None, key: str) -> RobotKeys | None:
        """Return the robot that a callback belongs to; by the key alone when ``robot_id`` is None."""
        if (robot_id, key) in self._refused:
            return None
        if (robot_id, key) in self._accepted:
            return self._accepted[robot_id, key]
        key_digest = fingerprint(key)
        robot_digest = fingerprint(robot_id or "")
        found = self._by_key.get(key_digest) if robot_id is None else self._by_robot.get(robot_digest)
        robot = found or _NOBODY
        matches = hmac.compare_digest(key_digest, robot.key_digest)
        matched_before = hmac.compare_digest(key_digest, robot.previous_digest or _NOBODY.previous_digest)
        if found and matches:
            self._accepted[robot_id, key] = found
            return found
        if found and matched_before and time.time() < robot.previous_until:
            return found
        self._remember_refused(robot_id, key)
        return None

    def _remember_refused(self, robot_id: str | None, key: str) -> None:
        self._refused[robot_id, key] = None
        if len(self._refused) > REFUSED_KEPT:
            self._refused.popitem(last=False)

    # -- following the database ----------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    robots = await self._read()
                await self._take(robots)
            except (psycopg.Error, OSError, TimeoutError) as error:
                await self._serve_on(error)
            await asyncio.sleep(EVERY_S)

    async def _read(self) -> list[RobotKeys]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = await connect_postgres("worktool-door-keys")
            cursor = await self._connection.execute(_QUERY)
            return [RobotKeys(*row) for row in await cursor.fetchall()]
        except BaseException:
            await self._close()
            raise

    async def _take(self, robots: list[RobotKeys]) -> None:
        if self._behind:
            logger.info("door.keys_followed_again")
        self._behind = False
        if robots == self._robots:
            return
        self._use(robots)
        with suppress(redis.RedisError, OSError):
            await self._copy.set(self._copy_key, json.dumps([asdict(robot) for robot in robots]))

    async def _serve_on(self, error: Exception) -> None:
        if not self._behind:
            logger.warning("door.keys_not_followed", error=type(error).__name__)
        self._behind = True
        if self._robots is None:
            with suppress(redis.RedisError, OSError, ValueError, TypeError):
                stored = await self._copy.get(self._copy_key)
                if stored:
                    self._use([RobotKeys(**row) for row in json.loads(stored)])

    def _use(self, robots: Iterable[RobotKeys]) -> None:
        self._robots = list(robots)
        self._by_robot = {robot.robot_digest: robot for robot in self._robots}
        previous = {robot.previous_digest: robot for robot in self._robots if robot.previous_digest}
        self._by_key = previous | {robot.key_digest: robot for robot in self._robots}
        self._refused.clear()
        self._accepted.clear()
        self._loaded.set()

    async def _close(self) -> None:
        held, self._connection = self._connection, None
        if held is not None:
            with suppress(psycopg.Error, OSError):
                await held.close()
