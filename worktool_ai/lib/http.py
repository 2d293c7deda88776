"""Outgoing HTTP: urllib3's connections, whose blocking sockets gevent turns into waiting greenlets; httptools parses.

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
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url
from urllib3.util.connection import create_connection

from worktool_ai.lib.http_wire import AnswerReader, request_bytes

__all__ = [
    "Answer",
    "HttpError",
    "NotSent",
    "OutcomeUnknown",
    "Place",
    "Pool",
    "Refused",
    "Response",
    "exchange",
    "is_public_address",
    "request",
    "tls_context",
]

MAX_ANSWER_BYTES = 1024 * 1024
_CHUNK = 64 * 1024
_MAX_ADDRESSES = 3
_MAX_PLACES = 64
_PORTS = {"http": 80, "https": 443}
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

    ``json`` is sent as UTF-8. ``timeout`` in seconds covers connecting, and then again all the rest. ``allow_private``
    is for addresses that the operator of this system sets (the platform), never for one that came from a form. Raises
    :class:`Refused`, :class:`NotSent` or :class:`OutcomeUnknown`.
    """
    target = _checked_url(url)
    sent = dict(headers or {})
    if json is not None:
        body = jsonlib.dumps(json, ensure_ascii=False).encode()
        sent.setdefault("Content-Type", "application/json; charset=utf-8")
    place = Place(target.scheme or "", (target.host or "").strip("[]"), target.port)
    try:
        answer = exchange(
            _pool(allow_private),
            place,
            method,
            target.request_uri,
            body=body or b"",
            headers=sent,
            timeout=2 * timeout,
            connect_timeout=timeout,
            max_bytes=max_bytes,
        )
    except OSError as error:
        raise OutcomeUnknown(str(target.host), str(error) or type(error).__name__) from error
    except ValueError as error:
        raise Refused(str(target.host), "a header cannot be sent as it is") from error
    return Response(answer.status, {name.lower(): value for name, value in answer.headers}, answer.body)


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


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, its headers as they came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def exchange(
    pool: Pool,
    place: Place,
    method: str,
    target: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    timeout: float,
    connect_timeout: float | None,
    max_bytes: int,
    unpack: bool = True,
    leaves: Callable[[], None] = lambda: None,
) -> Answer:
    """Send once, with no retry and no redirect: both would send again what may have been acted on. Read the whole
    answer within ``timeout`` seconds in all.

    ``target`` is path and query. ``leaves`` is called once connected: the last moment at which nothing has happened
    yet; what it raises comes out as it is, and nothing is sent. Raises ``ValueError`` (a header that cannot be sent),
    :class:`Refused` and :class:`NotSent`, all before anything has left; later ``TimeoutError`` and ``OSError``.
    """
    ends = time.monotonic() + timeout
    named = headers if "host" in map(str.lower, headers) else {"Host": place.name, **headers}
    content = request_bytes(method, target, named, body)
    connection = pool.take(place, timeout if connect_timeout is None else min(connect_timeout, timeout))
    try:
        leaves()
        reader = AnswerReader(method, max_bytes)
        _bounded(connection.sock, ends).sendall(content)
        while not reader.is_whole:
            reader.feed(_bounded(connection.sock, ends).recv(_CHUNK))
        answer = Answer(reader.status, reader.headers, reader.body(unpack=unpack))
    except BaseException:
        connection.close()
        raise
    if reader.can_go_on:
        pool.put(place, connection)
    else:
        connection.close()
    return answer


def _bounded(sock: socket.socket, ends: float) -> socket.socket:
    """A server that drips must not outlive the deadline."""
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("the answer did not end in time")
    sock.settimeout(left)
    return sock


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
            self.close()  # type: ignore[attr-defined]
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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connection goes: ``http`` or ``https``, a name or an address (without brackets), and a port, unless it is
    the usual one.
    """

    scheme: str
    host: str
    port: int | None = None

    @property
    def name(self) -> str:
        """What the header Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in (None, _PORTS[self.scheme]) else f"{host}:{self.port}"


#: Connections with the moments since which they rest.
_Idle = dict[Place, deque[tuple[float, HTTPConnection]]]


class Pool:
    """Kept connections, at most ``maxsize`` idle ones of each place, for ``idle_s`` at most.

    Connections past that are made and closed, never waited for. ``guarded`` connects to public addresses only.
    """

    def __init__(
        self, *, guarded: bool, maxsize: int, context: ssl.SSLContext | None = None, idle_s: float = float("inf")
    ) -> None:
        self._http, self._https = (_GuardedHTTP, _GuardedHTTPS) if guarded else (_OpenHTTP, _OpenHTTPS)
        self._maxsize = maxsize
        self._context = context or tls_context()
        self._idle_s = idle_s
        self._idle: _Idle = {}
        weakref.finalize(self, _close, self._idle)

    def take(self, place: Place, timeout: float) -> Any:
        """Return a connection that is open, an idle one or a new one; raises :class:`Refused` or :class:`NotSent`."""
        idle = self._idle.get(place)
        while idle:
            try:
                since, connection = idle.pop()
            except IndexError:  # somebody else was faster
                break
            if time.monotonic() - since <= self._idle_s and _is_open(connection.sock):
                return connection
            connection.close()
        connection = self._connection(place, timeout)
        connection.connect()
        return connection

    def put(self, place: Place, connection: HTTPConnection) -> None:
        """Keep a connection whose answer has been read to its end."""
        idle = self._idle.setdefault(place, deque())
        if len(idle) < self._maxsize:
            idle.append((time.monotonic(), connection))
        else:
            connection.close()
        if len(self._idle) > _MAX_PLACES:
            self.clear()

    def clear(self) -> None:
        """Close what is idle."""
        _close(self._idle)

    def _connection(self, place: Place, timeout: float) -> HTTPConnection:
        if place.scheme == "http":
            return self._http(place.host, place.port, timeout=timeout)
        return self._https(place.host, place.port, timeout=timeout, ssl_context=self._context)


def _close(idle: _Idle) -> None:
    while idle:
        for _since, connection in idle.popitem()[1]:
            connection.close()


def _is_open(sock: Any) -> bool:
    """Nothing to be read, the end neither. TLS may read news of its own meanwhile."""
    sock.settimeout(0)
    try:
        sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


@lru_cache(maxsize=2)
def _pool(allow_private: bool) -> Pool:
    # Two pools: a connection that was opened unguarded must not be found by a guarded request.
    return Pool(guarded=not allow_private, maxsize=256)


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Return the one verifying context: loading the trusted certificates costs 20 ms, too much per connection.

    Trust is the machine's own store (``SSL_CERT_FILE`` is obeyed), or certifi's where the machine has none.
    """
    paths = ssl.get_default_verify_paths()
    has_store = paths.cafile or (paths.capath and any(Path(paths.capath).iterdir()))
    return ssl.create_default_context(cafile=None if has_store else certifi.where())
