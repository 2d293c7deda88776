"""Calls the door as a server would, in the test's own event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from channels.db import database_sync_to_async

from robots.door import PREFIX, Door
from tests.robots.inbound.builders import KEY, ROBOT_ID, encode

#: In place of a chunk: the client sends nothing more, and does not hang up.
NEVER = b"(never)"


@dataclass
class Answer:
    """What the door sent, and how much of the body it had read by then."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    read_before_answer: int = 0
    read: int = 0

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class DoorClient:
    door: Door
    address: str = "203.0.113.7"

    async def post(
        self,
        kind: str = "message",
        body: Any = b"",
        *,
        robot_id: str | None = ROBOT_ID,
        key: str | None = KEY,
        path: str | None = None,
        method: str = "POST",
        content_type: str = "application/json",
        chunks: list[bytes] | None = None,
        announced: int | None = None,
    ) -> Answer:
        """Send one request; ``chunks`` come one by one."""
        given = {"robotId": robot_id, "key": key}
        query = urlencode({name: value for name, value in given.items() if value is not None})
        data = body if isinstance(body, bytes) else encode(body, content_type)
        parts = [data] if chunks is None else chunks
        size = sum(map(len, parts)) if announced is None else announced
        scope = {
            "type": "http",
            "method": method,
            "path": PREFIX + kind if path is None else path,
            "query_string": b"" if path else query.encode(),
            "headers": [(b"content-type", content_type.encode()), (b"content-length", str(size).encode())],
            "client": (self.address, 4711),
        }
        return await self._call(scope, parts)

    async def _call(self, scope: dict[str, Any], parts: list[bytes]) -> Answer:
        answer = Answer()
        waiting = list(parts)

        async def receive() -> dict[str, Any]:
            chunk = waiting.pop(0) if waiting else NEVER
            if chunk is NEVER:
                await asyncio.Event().wait()
            answer.read += len(chunk)
            return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
                answer.read_before_answer = answer.read
            else:
                answer.body += message["body"]

        await self.door(scope, receive, send)
        return answer


@asynccontextmanager
async def open_door() -> AsyncIterator[DoorClient]:
    door = Door()
    await door.start()
    try:
        yield DoorClient(door)
    finally:
        await door.stop()


async def in_thread(call: Callable[[], Any]) -> Any:
    """Use the ORM from an async test."""
    return await database_sync_to_async(call)()


async def until(holds: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Poll until something holds; fails when it does not within ``seconds``."""
    async with asyncio.timeout(seconds):
        while not (found := await in_thread(holds)):  # noqa: ASYNC110 - what is polled happens elsewhere
            await asyncio.sleep(0.02)
    return found
