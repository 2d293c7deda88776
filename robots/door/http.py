"""The few bits of HTTP that the door speaks, on bare ASGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

__all__ = ["ClientGone", "Receive", "Scope", "Send", "TooLarge", "answer", "header", "read_body", "refuse_large"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: Of a body that was refused for its size so much is read and dropped, so that its sender gets to read the answer.
DRAIN_BYTES = 64 * 1024 * 1024
DRAIN_S = 5.0

_SUCCESS = b'{"code":0,"message":"success"}'


class TooLarge(Exception):
    """The body is over the limit."""


class ClientGone(Exception):
    """The client hung up before its body was there."""


def header(scope: Mapping[str, Any], name: bytes) -> str:
    """Return the first header of that (lower-case) name, or the empty text."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def read_body(scope: Mapping[str, Any], receive: Receive, limit: int) -> bytes:
    """Return the body; raises :class:`TooLarge` as soon as that is known, and :class:`ClientGone`."""
    announced = header(scope, b"content-length")
    if announced.isdigit() and int(announced) > limit:
        raise TooLarge
    chunks: list[bytes] = []
    size = 0
    async for chunk in _chunks(receive):
        size += len(chunk)
        if size > limit:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


async def _chunks(receive: Receive) -> Any:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def answer(send: Send, status: int) -> None:
    """Answer as the platform expects: success, or a refusal without a word that it could post into a chat."""
    body = await _start(send, status)
    await send({"type": "http.response.body", "body": body})


async def refuse_large(receive: Receive, send: Send) -> None:
    """Send the whole 413 first, then read the rest of the body and drop it.

    The answer is only ended afterwards: a server closes the way in once it is.
    """
    body = await _start(send, 413, (b"connection", b"close"))
    await send({"type": "http.response.body", "body": body, "more_body": True})
    dropped = 0
    with suppress(ClientGone, TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            async for chunk in _chunks(receive):
                dropped += len(chunk)
                if dropped > DRAIN_BYTES:
                    break
    await send({"type": "http.response.body", "body": b""})


async def _start(send: Send, status: int, *headers: tuple[bytes, bytes]) -> bytes:
    body = _SUCCESS if status == 200 else json.dumps({"code": status, "message": ""}, separators=(",", ":")).encode()
    fixed = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 405:
        fixed.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
    return body
