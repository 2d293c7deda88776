"""Fetching what command 218 pushes, as a phone does before it opens the chat: from loopback addresses only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from typing import Final

import aiohttp

from robots.simulator.records import Json
from worktool_ai.lib.loopback import is_loopback_url

#: "Keep under about 10 MB" (worktool-api.md §4.2).
MAX_BYTES: Final = 10 * 1024 * 1024
PATIENCE: Final = aiohttp.ClientTimeout(total=15.0)
_CONTENT: Final = {"image": "image/", "audio": "audio/", "video": "video/", "*": ""}


class Downloads:
    """Fetches files; what it fetched is only looked at, a chat shows the address."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(timeout=PATIENCE, cookie_jar=aiohttp.DummyCookieJar()) as self._session:
            yield

    async def fetch(self, command: Json) -> bool:
        """Tell whether the file of a command could be fetched and is what the command calls it."""
        url = str(command.get("fileUrl") or "")
        # a name without its ending cannot be opened on the phone
        if self._session is None or not is_loopback_url(url) or not _ending(command):
            return False
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                fits = answer.status == 200 and _fits(command, answer.content_type)
                return fits and 0 < await _size(answer) <= MAX_BYTES
        except (aiohttp.ClientError, TimeoutError):
            return False


async def _size(answer: aiohttp.ClientResponse) -> int:
    """Read to the end, or until there is too much."""
    size = 0
    async for part in answer.content.iter_chunked(64 * 1024):
        size += len(part)
        if size > MAX_BYTES:
            break
    return size


def _ending(command: Json) -> str:
    return PurePosixPath(str(command.get("objectName") or "")).suffix


def _fits(command: Json, content_type: str) -> bool:
    wanted = _CONTENT.get(str(command.get("fileType", "*")))
    return wanted is not None and content_type.startswith(wanted) and content_type != "image/webp"
