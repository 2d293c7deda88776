"""A real HTTP server for tests of clients: answers what the test scripted, keeps what it was asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Asked", "Scripted", "WireServer", "running_wire_server"]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Scripted:
    """One answer. ``cut_after`` bytes the connection is broken; ``before`` runs first (a wait, say).

    ``reset`` breaks it by a reset in place of an orderly end; ``drip_s`` seconds lie between any two bytes of the body.
    """

    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    before: Callable[[], object] = lambda: None
    reset: bool = False
    drip_s: float = 0.0


class WireServer:
    """Gives its answers in order, the last one again and again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self._answers: list[Scripted] = [Scripted()]

    def answers(self, *answers: Scripted) -> None:
        self._answers = list(answers)

    def next_answer(self) -> Scripted:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@contextmanager
def running_wire_server() -> Iterator[WireServer]:
    server = _Server(("127.0.0.1", 0), _Handler)
    wire = WireServer(f"http://127.0.0.1:{server.server_address[1]}")
    server.wire = wire
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # connections of many callers at once; the default of 5 makes the kernel drop some


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; without this the second waits 40 ms for an ACK

    def do_POST(self) -> None:
        wire: WireServer = self.server.wire
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        wire.asked.append(Asked(self.command, self.path, headers, body))
        self._answer(wire.next_answer())

    do_GET = do_POST

    def _answer(self, answer: Scripted) -> None:
        answer.before()
        is_text = isinstance(answer.body, str)
        body = answer.body.encode() if is_text else json.dumps(answer.body, ensure_ascii=False).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/plain" if is_text else "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.close_connection = answer.cut_after is not None
        with suppress(OSError):  # the client may be gone
            self.end_headers()
            self._send(body[: answer.cut_after], answer)

    def _send(self, body: bytes, answer: Scripted) -> None:
        for part in [body[i : i + 1] for i in range(len(body))] if answer.drip_s else [body]:
            self.wfile.write(part)
            time.sleep(answer.drip_s)
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        return
