"""Signs that this door is alive, and what becomes of outages of any door: rows for the recovery, opened here.

The mark is written by the very event loop that answers callbacks, so a process that hangs renews nothing. PostgreSQL
being away loses nothing: the spans stay in memory, and a process that dies meanwhile leaves its last mark behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from robots.models import GapCause
from robots.recovery.gaps import OPEN_GAPS, gap_rows
from worktool_ai.lib import clock
from worktool_ai.lib.async_stores import connect_postgres
from worktool_ai.lib.background import end
from worktool_ai.lib.ids import uuid7
from worktool_ai.lib.logs import get_logger

__all__ = ["AliveMark"]

logger = get_logger(__name__)

EVERY_S = 1.0
TIMEOUT_S = 1.5
#: Callers drop a request after 3 s: a shorter hang has cost nobody a line.
LATE = timedelta(seconds=3)
#: A span of refusals is handed on when nothing was refused for so long, or when it has become so long.
QUIET = timedelta(seconds=2)
LONGEST = timedelta(seconds=10)

_MARK = "INSERT INTO robots_doormark (id, seen_at) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET seen_at = %s"
_DEAD = "DELETE FROM robots_doormark WHERE seen_at < %s AND id <> %s RETURNING seen_at"
_ROBOTS = "SELECT id FROM robots_robot WHERE is_active"


@dataclass(slots=True)
class _Span:
    cause: GapCause
    since: datetime
    until: datetime
    robot: UUID | None = None


class AliveMark:
    """One door's mark. ``refused`` is told of each callback that no store took."""

    def __init__(self) -> None:
        self._id = uuid7()
        self._postgres: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._alive_at = clock.now()
        self._refusals: dict[UUID | None, _Span] = {}
        self._ended: list[_Span] = []

    def start(self) -> None:
        self._alive_at = clock.now()
        self._task = asyncio.create_task(self._run(), name="door-alive")

    async def stop(self) -> None:
        """End; the mark stays, so that the next door knows since when there was none."""
        await end(self._task)
        await self._close()

    def refused(self, robot: UUID | None) -> None:
        """Note a callback that its caller has to give up; None: of which robot, could not be told."""
        now = clock.now()
        span = self._refusals.setdefault(robot, _Span(GapCause.REFUSED, now, now, robot))
        span.until = now

    async def _run(self) -> None:
        while True:
            self._notice_sleep()
            self._end_refusals()
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._write()
            except (psycopg.Error, OSError, TimeoutError) as error:
                logger.debug("door.mark_not_written", error=type(error).__name__)
                await self._close()
            await asyncio.sleep(EVERY_S)

    def _notice_sleep(self) -> None:
        """By the wall clock: a machine that slept has not heard its callers either."""
        before, self._alive_at = self._alive_at, clock.now()
        if self._alive_at - before > LATE:
            self._ended.append(_Span(GapCause.DOWNTIME, before, self._alive_at))

    def _end_refusals(self) -> None:
        now = clock.now()
        for robot, span in list(self._refusals.items()):
            # while nothing can be handed on, one span grows instead of many being kept
            if now - span.until > QUIET or (not self._ended and now - span.since > LONGEST):
                self._ended.append(self._refusals.pop(robot))

    async def _write(self) -> None:
        """Renew the mark, and open what is due, all in one transaction."""
        postgres = await self._connected()
        async with postgres.transaction():
            now = clock.now()
            await postgres.execute(_MARK, [self._id, now, now])
            dead = await (await postgres.execute(_DEAD, [now - LATE, self._id])).fetchall()
            spans = [*self._ended, *(_Span(GapCause.DOWNTIME, seen_at, now) for (seen_at,) in dead)]
            if spans:
                await self._open(postgres, spans)
        # the transaction has committed; what has ended since is still in the list
        del self._ended[: len(spans) - len(dead)]

    async def _open(self, postgres: psycopg.AsyncConnection[tuple[Any, ...]], spans: Sequence[_Span]) -> None:
        robots = [row[0] for row in await (await postgres.execute(_ROBOTS)).fetchall()]
        for span in spans:
            rows = gap_rows([span.robot] if span.robot else robots, span.cause, span.since, span.until)
            if rows:
                await postgres.execute(OPEN_GAPS, rows)
            seconds = round((span.until - span.since).total_seconds(), 1)
            logger.warning("door.outage", cause=span.cause.value, since=span.since.isoformat(), seconds=seconds)

    async def _connected(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        if self._postgres is None or self._postgres.closed:
            self._postgres = await connect_postgres("worktool-door-alive")
        return self._postgres

    async def _close(self) -> None:
        held, self._postgres = self._postgres, None
        if held is not None:
            with suppress(psycopg.Error, OSError):
                await held.close()
