"""A small ASGI kit for stand-ins of outside services: the platform simulator and the model stub.

A stand-in listens on the loopback interface only, answers only callers that address it there (a web page of
another origin cannot reach it by DNS rebinding), knows nothing of our database and refuses production
settings. Django is not imported here, so a stand-in starts without it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import uvicorn

__all__ = [
    "Handler",
    "LoopbackApp",
    "Request",
    "Response",
    "StartRefused",
    "is_loopback_url",
    "json_response",
    "run",
    "running",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HOST = "127.0.0.1"
MAX_BODY_BYTES = 32 * 1024 * 1024
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
# Longer than any pool keeps an idle connection, so that no caller sends into one that is just being closed.
KEEP_ALIVE_S = 75


class StartRefused(RuntimeError):
    """A stand-in was asked to start where it must not, or without something that it needs."""


@dataclass(slots=True)
class Response:
    """One whole answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def json_response(status: int, payload: Any) -> Response:
    """Answer with UTF-8 JSON in which Chinese stays readable."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return Response(status, text.encode())


@dataclass
class Request:
    """One request whose body was read whole; ``client`` is the caller's address."""

    scope: Scope
    receive: Receive
    body: bytes

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @property
    def client(self) -> str:
        peer = self.scope.get("client")
        return str(peer[0]) if peer else HOST

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.scope.get("query_string", b"").decode(), keep_blank_values=True))

    @cached_property
    def headers(self) -> dict[str, str]:
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.scope["headers"]}

    def json(self) -> Any:
        """Parse the body; raises ``ValueError`` when it is not JSON."""
        return json.loads(self.body)

    async def gone_within(self, seconds: float) -> bool:
        """Wait ``seconds``, or until the caller hangs up; tell whether the caller is gone."""
        hang_up = asyncio.ensure_future(self.receive())
        try:
            done, _ = await asyncio.wait({hang_up}, timeout=seconds)
        finally:
            hang_up.cancel()
        return bool(done) and hang_up.result()["type"] == "http.disconnect"


#: ``None`` means that no answer is given: the caller is gone.
Handler = Callable[[Request], Awaitable[Response | None]]
Lifespan = Callable[[], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield


class LoopbackApp:
    """An ASGI application around one handler, with the loopback guard and an optional life span."""

    def __init__(self, handler: Handler, lifespan: Lifespan = _nothing) -> None:
        self._handler = handler
        self._lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        if body is None:
            await _answer(send, json_response(413, {"code": 413, "message": "body too large"}))
            return
        request = Request(scope, receive, body)
        if not _is_local(request):
            await _answer(send, json_response(403, {"code": 403, "message": "loopback only"}))
            return
        response = await self._handler(request)
        if response is not None:
            await _answer(send, response)


async def _read_body(receive: Receive) -> bytes | None:
    """Return the whole body, or ``None`` when it is over the limit (the rest is read and dropped)."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks) if size <= MAX_BODY_BYTES else None


async def _answer(send: Send, response: Response) -> None:
    headers = {"content-type": response.content_type, "content-length": str(len(response.body))}
    headers |= response.headers
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    await send({"type": "http.response.body", "body": response.body})


def _is_local(request: Request) -> bool:
    host = urlsplit(f"//{request.headers.get('host', HOST)}").hostname
    return host in LOOPBACK_NAMES and (request.client.startswith("127.") or request.client == "::1")


def is_loopback_url(url: str) -> bool:
    """Tell whether ``url`` is plain HTTP(S) to this machine; a stand-in calls nobody else."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and parts.hostname in LOOPBACK_NAMES
    except ValueError:
        return False


def refuse_production() -> None:
    """Raise :class:`StartRefused` under ENVIRONMENT=production: there it would play a real service."""
    if os.environ.get("ENVIRONMENT", "").strip().lower() == "production":
        raise StartRefused("This stand-in refuses to start with ENVIRONMENT=production.")


def _server(app: LoopbackApp) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port), backlog=2048)
    except OSError as error:
        raise StartRefused(f"Port {port} of {HOST} cannot be used: {error.strerror}.") from error


def _address(listener: socket.socket) -> str:
    return f"http://{HOST}:{listener.getsockname()[1]}"


def run(app: LoopbackApp, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``announce`` gets the address once the port is ours (0 = a free one)."""
    refuse_production()
    listener = _listen(port)
    announce(_address(listener))
    # uvicorn stops in order on Ctrl-C and then raises it again
    with suppress(KeyboardInterrupt):
        _server(app).run(sockets=[listener])


@contextmanager
def running(app: LoopbackApp) -> Iterator[str]:
    """Serve in a thread on a free port for the length of the block; yields the address. For tests."""
    listener = _listen(0)
    server = _server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        # The port already listens: a caller that comes early waits in the backlog.
        yield _address(listener)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
