"""Outgoing HTTP on urllib3: blocking sockets that gevent turns into waiting greenlets.

Errors say what is known of the request, because a command must never be sent twice:
:class:`Refused` and :class:`NotSent` mean that nobody has seen it, :class:`OutcomeUnknown` that somebody may have.

Addresses that people enter (webhooks) are guarded: the name is resolved once, every address of it must be a public
one, and the connection goes to just those addresses. Redirects are never followed, proxies never used.
"""

from __future__ import annotations

import ipaddress
import json as jsonlib
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import LocationParseError
from urllib3.exceptions import TimeoutError as Urllib3Timeout
from urllib3.util import Timeout, Url, parse_url
from urllib3.util.connection import create_connection

__all__ = [
    "HttpError",
    "NotSent",
    "OutcomeUnknown",
    "Refused",
    "Response",
    "exchange",
    "is_public_address",
    "pool_manager",
    "read_whole",
    "request",
    "tls_context",
]

MAX_ANSWER_BYTES = 1024 * 1024
_CHUNK = 64 * 1024
_MAX_ADDRESSES = 3
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class HttpError(Exception):
    """A request without an answer. The text names the host only: paths and queries hold credentials."""

    def __init__(self, host: str, problem: str) -> None:
        super().__init__(f"{host}: {problem}")
        self.host = host
        self.problem = problem


class Refused(HttpError):
    """We did not even try: the address is not one that may be asked."""


class NotSent(HttpError):
    """No connection was made, so nothing was sent: safe to try again."""


class OutcomeUnknown(HttpError):
    """Bytes may have left before it broke: the other side may have acted on it."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer, whatever its status; 3xx are answers too. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse the body; raises ``ValueError``."""
        return jsonlib.loads(self.body)


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    body: bytes | None = None,
    timeout: float = 10.0,
    allow_private: bool = False,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Response:
    """Ask once and read the whole answer.

    ``json`` is sent as UTF-8. ``timeout`` in seconds covers each of connecting, waiting for the answer, and reading
    it. ``allow_private`` is for addresses that the operator of this system sets (the platform), never for one that
    came from a form. Raises :class:`Refused`, :class:`NotSent` or :class:`OutcomeUnknown`.
    """
    target = _checked_url(url)
    sent = dict(headers or {})
    if json is not None:
        body = jsonlib.dumps(json, ensure_ascii=False).encode()
        sent.setdefault("Content-Type", "application/json; charset=utf-8")
    pool = _manager(allow_private).connection_from_host(target.host, target.port, target.scheme)
    try:
        # no retries and no redirects: both would send again what may have been acted on
        answer = pool.urlopen(
            method,
            target.request_uri,
            body=body,
            headers=sent,
            retries=False,
            redirect=False,
            timeout=Timeout(connect=timeout, read=timeout),
            preload_content=False,
        )
        content = read_whole(answer, max_bytes, time.monotonic() + timeout)
    except (Urllib3Error, OSError) as error:
        raise OutcomeUnknown(str(target.host), _reason(error)) from error
    except ValueError as error:
        raise Refused(str(target.host), "a header cannot be sent as it is") from error
    return Response(answer.status, {name.lower(): value for name, value in answer.headers.items()}, content)


def _checked_url(url: str) -> Url:
    try:
        target = parse_url(url)
    except LocationParseError:
        raise Refused("", "this is not an address") from None
    if target.scheme not in ("http", "https") or not target.host:
        raise Refused(target.host or "", "only http:// and https:// addresses with a host are asked")
    if target.auth:
        raise Refused(target.host, "user and password do not belong into an address")
    return target


def exchange(
    pool: HTTPConnectionPool,
    method: str,
    path: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    timeout: float,
    connect_timeout: float | None,
    max_bytes: int,
    decode: bool = True,
) -> tuple[urllib3.BaseHTTPResponse, bytes]:
    """Send once and read the whole answer within ``timeout`` seconds in all; returns the answer and its body.

    For clients of vendors that have a deadline. Raises :class:`Refused`, :class:`NotSent`, ``TimeoutError``, urllib3's
    ``HTTPError`` and ``OSError``.
    """
    ends = time.monotonic() + timeout
    try:
        answer = pool.urlopen(
            method,
            path,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            timeout=Timeout(total=timeout, connect=connect_timeout),
            preload_content=False,
        )
        return answer, read_whole(answer, max_bytes, ends, decode)
    except Urllib3Timeout as error:
        raise TimeoutError("no whole answer in time") from error


def read_whole(answer: urllib3.BaseHTTPResponse, max_bytes: int, deadline: float, decode: bool = True) -> bytes:
    """Read a body up to ``max_bytes`` and until ``deadline`` (monotonic); raises ``OSError`` beyond either."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := _read_some(answer, deadline, decode):
            parts.append(part)
            size += len(part)
            if size > max_bytes:
                raise OSError(f"the answer has more than {max_bytes} bytes")
    except BaseException:
        answer.close()
        raise
    answer.release_conn()
    return b"".join(parts)


def _read_some(answer: urllib3.BaseHTTPResponse, deadline: float, decode: bool) -> bytes:
    """Read what has come, without waiting for a full chunk: a server that drips must not outlive the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the answer did not end in time")
    sock: socket.socket | None = getattr(answer.connection, "sock", None)
    if sock is not None:
        sock.settimeout(left)
    return answer.read1(_CHUNK, decode_content=decode)


def _reason(error: Exception) -> str:
    """Say what happened without urllib3's texts, which hold the path and with it credentials."""
    if isinstance(error, Urllib3Error):
        return f"no whole answer ({type(error).__name__})"
    return str(error) or type(error).__name__


# -- connections ---------------------------------------------------------------------------------------------------


def is_public_address(address: str) -> bool:
    """Tell whether an IP address lies on the public internet, also where IPv6 wraps an IPv4 one."""
    ip: Address = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public_address(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _addresses(host: str, port: int, guarded: bool) -> list[str]:
    """Resolve once; with the guard on, one address that is not public refuses the whole name."""
    host = host.strip("[]")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSent(host, f"the name cannot be resolved ({error})") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if guarded and not all(is_public_address(address) for address in addresses):
        raise Refused(host, "this address is not on the public internet")
    return addresses


class _Connecting:
    """Connects to the addresses that were checked, and tells errors before the request from later ones."""

    guarded = True
    host: str
    port: int
    timeout: Any
    source_address: Any
    socket_options: Any

    def _new_conn(self) -> socket.socket:
        failure: OSError | None = None
        for address in _addresses(self.host, self.port, self.guarded)[:_MAX_ADDRESSES]:
            try:
                return create_connection((address, self.port), self.timeout, self.source_address, self.socket_options)
            except OSError as error:
                failure = error
        raise NotSent(self.host, f"no connection ({failure})") from failure

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]  # of the class it is mixed into
        except (OSError, Urllib3Error) as error:  # TLS; what comes from _new_conn passes through
            raise NotSent(self.host, f"no secure connection ({_tls_reason(error)})") from error


def _tls_reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "reason", None) or type(error).__name__


class _GuardedHTTP(_Connecting, HTTPConnection):
    pass


class _GuardedHTTPS(_Connecting, HTTPSConnection):
    pass


class _OpenHTTP(_GuardedHTTP):
    guarded = False


class _OpenHTTPS(_GuardedHTTPS):
    guarded = False


def _pool_classes(http: type[HTTPConnection], https: type[HTTPSConnection]) -> dict[str, type[HTTPConnectionPool]]:
    return {
        "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": http}),
        "https": type("Pool", (HTTPSConnectionPool,), {"ConnectionCls": https}),
    }


def pool_manager(*, guarded: bool, maxsize: int, context: ssl.SSLContext | None = None) -> urllib3.PoolManager:
    """Return kept-alive connections of which at most ``maxsize`` a host stay open when idle.

    Connections past that are made and closed, never waited for.
    """
    manager = urllib3.PoolManager(num_pools=64, maxsize=maxsize, ssl_context=context or tls_context())
    classes = (_GuardedHTTP, _GuardedHTTPS) if guarded else (_OpenHTTP, _OpenHTTPS)
    manager.pool_classes_by_scheme = _pool_classes(*classes)
    return manager


@lru_cache(maxsize=2)
def _manager(allow_private: bool) -> urllib3.PoolManager:
    # Two managers: a connection that was opened unguarded must not be found by a guarded request.
    return pool_manager(guarded=not allow_private, maxsize=256)


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Return the one verifying context: loading the trusted certificates costs 20 ms, too much per connection.

    Trust is the machine's own store (``SSL_CERT_FILE`` is obeyed), or certifi's where the machine has none.
    """
    paths = ssl.get_default_verify_paths()
    has_store = paths.cafile or (paths.capath and any(Path(paths.capath).iterdir()))
    return ssl.create_default_context(cafile=None if has_store else certifi.where())
