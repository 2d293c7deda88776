"""Ending background tasks for certain."""

from __future__ import annotations

import asyncio

__all__ = ["end"]

_AGAIN_S = 0.2


async def end(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and wait until it has ended.

    More than once where needed: ``asyncio.wait_for`` (Python 3.11, inside psycopg) swallows a cancellation that comes
    in the same instant as its result.
    """
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_AGAIN_S)
