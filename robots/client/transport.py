"""HTTP to the platform: kept connections, no retries, and certainty about what has left this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from robots.client.errors import NotSent, Rejected, Throttled, Unknown
from worktool_ai.lib.http import read_whole, tls_context

if TYPE_CHECKING:
    from urllib3._base_connection import BaseHTTPConnection

__all__ = ["Json", "Transport"]

Json = dict[str, Any]

#: The platform may close a connection that rests; a request written into that moment would end unknown.
IDLE_S = 2.0
CONNECT_S = 3.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024
ACCEPTED = frozenset({0, 200})
TOO_MANY = 429


class _Fresh(HTTPConnectionPool):
    """A pool that opens connections anew when they have rested for long."""

    def _get_conn(self, timeout: float | None = None) -> BaseHTTPConnection:
        connection = super()._get_conn(timeout)
        if time.monotonic() - getattr(connection, "rests_since", 0.0) > IDLE_S:
            connection.close()
        return connection

    def _put_conn(self, conn: BaseHTTPConnection | None) -> None:
        if conn is not None:
            conn.rests_since = time.monotonic()  # type: ignore[attr-defined]
        super()._put_conn(conn)


class _FreshTls(_Fresh, HTTPSConnectionPool):
    """The same over TLS."""


class _Body:
    """The request's bytes; knows whether they were handed to the socket, and refuses after ``not_after``."""

    def __init__(self, content: bytes, not_after: float) -> None:
        self._content = content
        self._not_after = not_after
        self.has_left = False

    def __iter__(self) -> Iterator[bytes]:
        # Asked for once connected and with the headers out: the last moment at which nothing has happened yet.
        if time.monotonic() > self._not_after:
            raise NotSent("too late: the process was stopped on the way")
        self.has_left = True
        yield self._content


class Transport:
    """Calls below one base URL. ``timeout_s`` bounds connecting and waiting for the answer."""

    def __init__(self, base_url: str, timeout_s: float) -> None:
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._timeout = urllib3.Timeout(connect=min(CONNECT_S, timeout_s), total=timeout_s)
        self._pools = urllib3.PoolManager(
            num_pools=4, maxsize=100, block=False, retries=False, ssl_context=tls_context()
        )
        self._pools.pool_classes_by_scheme = {"http": _Fresh, "https": _FreshTls}

    def get(self, path: str, query: Mapping[str, str | int]) -> Json:
        """Return the answer's object; raises the errors of :mod:`robots.client.errors`."""
        return self._call("GET", path, query, None, {})

    def post(self, path: str, query: Mapping[str, str | int], body: Json, not_after: float = float("inf")) -> Json:
        """Post JSON. Past the monotonic instant ``not_after`` nothing leaves any more (:class:`NotSent`)."""
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        return self._call("POST", path, query, _Body(content, not_after), headers)

    def _call(
        self, method: str, path: str, query: Mapping[str, str | int], body: _Body | None, headers: dict[str, str]
    ) -> Json:
        url = f"{self._base_url}{path}?{urlencode(query)}"
        try:
            status, content = self._exchange(method, url, body, headers)
        except (HTTPError, OSError) as error:
            # `from None`: urllib3's texts hold the URL, and with it the robot id.
            raise _failure(body, type(error).__name__) from None
        return _read(status, content)

    def _exchange(self, method: str, url: str, body: _Body | None, headers: dict[str, str]) -> tuple[int, bytes]:
        answer = self._pools.request(
            method,
            url,
            body=body,
            headers=headers,
            timeout=self._timeout,
            redirect=False,
            retries=False,
            preload_content=False,
        )
        return answer.status, read_whole(answer, MAX_ANSWER_BYTES, time.monotonic() + self._timeout_s)


def _failure(body: _Body | None, kind: str) -> NotSent | Unknown:
    if body is not None and not body.has_left:
        return NotSent(f"no connection to the platform ({kind})")
    return Unknown(f"no answer from the platform ({kind})")


def _read(status: int, content: bytes) -> Json:
    """Tell acceptance from refusal; what cannot be read is unknown."""
    if status == TOO_MANY:
        raise Throttled("the platform's rate limit")
    if status >= 500:
        raise Unknown(f"the platform failed with HTTP {status}")
    answer = _parse(content)
    if status >= 300:
        raise Rejected(_number(answer.get("code")) or status, _message(answer) or f"HTTP {status}")
    code = _number(answer.get("code"))
    if code == TOO_MANY:
        raise Throttled("the platform's rate limit")
    if code is None:
        raise Unknown("an answer without a code")
    if code not in ACCEPTED:
        raise Rejected(code, _message(answer))
    return answer


def _parse(content: bytes) -> Json:
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _message(answer: Json) -> str:
    return str(answer.get("message") or answer.get("msg") or "")[:300]


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
