"""Concurrent requests' writes, sent together: whoever comes while a write is under way joins the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from worktool_ai.lib.background import end
from worktool_ai.lib.logs import get_logger

__all__ = ["BatchWriter", "StoreAway"]

logger = get_logger(__name__)

T = TypeVar("T")


class StoreAway(Exception):
    """The write was not confirmed in time. It may still land; an item that lands twice is harmless by its id."""


class BatchWriter(Generic[T]):
    """One background task that writes what is waiting, ``most`` items at a time; no item waits for a timer.

    After a failure it is ``available`` again after ``pause_s``, for one attempt at first: callers that have another
    store use that one meanwhile.
    """

    def __init__(
        self, name: str, write: Callable[[Sequence[T]], Awaitable[None]], *, most: int = 500, pause_s: float = 0.5
    ) -> None:
        self._name = name
        self._write = write
        self._most = most
        self._pause_s = pause_s
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._try_again_at = 0.0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"door-{self._name}")

    async def stop(self) -> None:
        """End the task; requests that still wait are told that the store is away."""
        await end(self._task)
        self._settle(self._take(len(self._waiting)), StoreAway(self._name))

    def available(self) -> bool:
        """Tell whether a write is worth trying; after a failure only one caller at a time is told so."""
        if not self._try_again_at:
            return True
        now = asyncio.get_running_loop().time()
        if now < self._try_again_at:
            return False
        self._try_again_at = now + self._pause_s
        return True

    async def put(self, item: T, timeout_s: float) -> None:
        """Write an item; raises :class:`StoreAway` when that is not confirmed within ``timeout_s``."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._wake.set()
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            self._failed("timeout")
            raise StoreAway(self._name) from None

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._take(self._most):
                await self._write_batch(batch)

    def _take(self, most: int) -> list[tuple[T, asyncio.Future[None]]]:
        """Take items whose caller still waits."""
        batch: list[tuple[T, asyncio.Future[None]]] = []
        while self._waiting and len(batch) < most:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch

    async def _write_batch(self, batch: list[tuple[T, asyncio.Future[None]]]) -> None:
        try:
            await self._write([item for item, _future in batch])
        except asyncio.CancelledError:
            self._settle(batch, StoreAway(self._name))
            raise
        except Exception as error:
            self._failed(type(error).__name__)
            self._settle(batch, StoreAway(f"{self._name}: {type(error).__name__}"))
        else:
            self._recovered()
            self._settle(batch, None)

    def _failed(self, why: str) -> None:
        if not self._try_again_at:
            logger.warning("door.store_away", store=self._name, error=why)
        self._try_again_at = asyncio.get_running_loop().time() + self._pause_s

    def _recovered(self) -> None:
        if self._try_again_at:
            logger.info("door.store_back", store=self._name)
        self._try_again_at = 0.0

    def _settle(self, batch: list[tuple[T, asyncio.Future[None]]], error: Exception | None) -> None:
        for _item, future in batch:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
