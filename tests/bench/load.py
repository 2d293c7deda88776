"""Callbacks posted over kept connections by one event loop: closed loop, open loop at a rate, or all at once.

A latency counts from the moment at which a callback was *due*, so a door that falls behind is not excused by callbacks
that were sent late because of it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

import uvloop

__all__ = ["Callback", "Posted", "post"]

#: Between opening the connections and the first callback.
LEAD_S = 0.1
#: The door closes a connection that rested for 5 s; ours is opened anew before that.
FRESH_S = 4.0
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Callback:
    """A body to post ``due_s`` seconds after the start."""

    due_s: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Posted:
    """One acknowledged callback: when it was due (epoch seconds), and the milliseconds from then to its answer."""

    due: float
    ms: float


class _Connection(asyncio.Protocol):
    """One kept HTTP/1.1 connection with one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._used = time.monotonic()

    @property
    def is_fresh(self) -> bool:
        transport = self._transport
        return transport is not None and not transport.is_closing() and time.monotonic() - self._used < FRESH_S

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, ended, body = self._buffer.partition(b"\r\n\r\n")
        if ended and len(body) >= _content_length(head):
            self._buffer = b""
            self._settle(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle(0)

    def _settle(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(status)

    async def exchange(self, request: bytes) -> int:
        """Send a request; returns the status of its answer, 0 when the connection was lost."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        status = await self._answer
        self._used = time.monotonic()
        return status

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _content_length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.partition(b"\r\n")[0] or 0)


@dataclass(frozen=True, slots=True)
class _Way:
    """Where callbacks go, and when they start there (both clocks)."""

    host: str
    port: int
    head: str
    begun: float
    begun_at: float

    async def connect(self) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, self.host, self.port)
        return connection

    def request(self, body: bytes) -> bytes:
        return f"{self.head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def post(url: str, callbacks: Sequence[Callback], connections: int) -> list[Posted]:
    """Post every callback when it is due, round robin over the connections; returns them in their order.

    Raises unless each is answered with 200.
    """
    return uvloop.run(_post(url, callbacks, connections))


async def _post(url: str, callbacks: Sequence[Callback], connections: int) -> list[Posted]:
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    head = f"POST {address.path}?{address.query} HTTP/1.1\r\nHost: {address.netloc}\r\n"
    head += "Content-Type: application/json\r\n"
    opened = _Way(address.hostname, address.port, head, 0.0, 0.0)
    doors = await asyncio.gather(*(opened.connect() for _ in range(connections)))
    way = _Way(opened.host, opened.port, head, time.monotonic() + LEAD_S, time.time() + LEAD_S)
    lanes = (_lane(way, door, callbacks[first::connections]) for first, door in enumerate(doors))
    async with asyncio.timeout(PATIENCE_S + max(callback.due_s for callback in callbacks)):
        done = await asyncio.gather(*lanes)
    posted: list[Posted | None] = [None] * len(callbacks)
    for first, lane in enumerate(done):
        posted[first::connections] = lane
    return [one for one in posted if one is not None]


async def _lane(way: _Way, door: _Connection, callbacks: Sequence[Callback]) -> list[Posted]:
    """Post the callbacks of one connection one after the other."""
    posted = []
    for callback in callbacks:
        await asyncio.sleep(max(0.0, way.begun + callback.due_s - time.monotonic()))
        if not door.is_fresh:
            door.close()
            door = await way.connect()
        status = await door.exchange(way.request(callback.body))
        if status != HTTPStatus.OK:
            raise RuntimeError(f"the door answered {status or 'nothing'} to {json.loads(callback.body)['spoken']}")
        late = time.monotonic() - way.begun - callback.due_s
        posted.append(Posted(way.begun_at + callback.due_s, late * 1000))
    door.close()
    return posted
