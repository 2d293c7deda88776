"""A small HTTP server for tests of outgoing requests, plain or TLS, that can misbehave on purpose."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

COMPLETION = {
    "id": "c-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "您好，已为您查询"}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
}


class Handler(BaseHTTPRequestHandler):
    """Answers by path; keeps what it saw in ``server.seen``."""

    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.path, headers, body, self.client_address))
        getattr(self, "at_" + self.path.partition("?")[0].strip("/").replace("/", "_"), self.at_echo)(body)

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def at_echo(self, body: bytes) -> None:
        self.answer(200, body, **{"Content-Type": "application/json"})

    def at_redirect(self, body: bytes) -> None:
        self.answer(302, b"", Location="/echo")

    def at_big(self, body: bytes) -> None:
        self.answer(200, b"x" * 200_000)

    def at_hang(self, body: bytes) -> None:
        time.sleep(1.5)

    def at_drip(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(30):
                self.wfile.write(b"x")
                time.sleep(0.05)

    def at_chunked(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"one,", b"two", b"")))

    def at_gzip(self, body: bytes) -> None:
        self.answer(200, gzip.compress(b"x" * 50_000), **{"Content-Encoding": "gzip"})

    def at_cut(self, body: bytes) -> None:
        self.answer(200, b"half", **{"Content-Length": "8"})
        self.close_connection = True

    def at_reset(self, body: bytes) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def at_chat_completions(self, body: bytes) -> None:
        self.answer(200, json.dumps(COMPLETION, ensure_ascii=False).encode(), **{"Content-Type": "application/json"})

    def at_limited_chat_completions(self, body: bytes) -> None:
        self.answer(429, b'{"error": {"message": "slow down"}}', **{"Content-Type": "application/json"})


class QuietServer(ThreadingHTTPServer):
    """Callers that hang up on purpose are no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Any]:
    """Yield a server on the loopback interface; ``url`` is its address, ``seen`` what was asked."""
    server: Any = QuietServer(("127.0.0.1", 0), Handler)
    server.seen = []
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url = f"{'https' if context else 'http'}://localhost:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(folder: Path) -> Path:
    """Write a self-signed certificate for localhost, with its key, and return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path
