"""HTTP to the platform: kept connections, no retries, and certainty about what has left this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from robots.client.errors import NotSent, Rejected, Throttled, Unknown
from worktool_ai.lib.http import HttpError, Place, Pool, exchange

__all__ = ["Json", "Transport"]

Json = dict[str, Any]

#: The platform may close a connection that rests; a request written into that moment would end unknown.
IDLE_S = 2.0
CONNECT_S = 3.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024
ACCEPTED = frozenset({0, 200})
TOO_MANY = 429
_HEADERS = {"Content-Type": "application/json"}


class _Leaving:
    """Knows whether a request was handed to the socket, and keeps it back after ``not_after``."""

    def __init__(self, not_after: float) -> None:
        self._not_after = not_after
        self.has_left = False

    def __call__(self) -> None:
        if time.monotonic() > self._not_after:
            raise NotSent("too late: the process was stopped on the way")
        self.has_left = True


class Transport:
    """Calls below one base URL. ``timeout_s`` bounds a whole call."""

    def __init__(self, base_url: str, timeout_s: float) -> None:
        base = urlsplit(base_url)
        self._place = Place(base.scheme, base.hostname or "", base.port)
        self._path = base.path.rstrip("/")
        self._timeout_s = timeout_s
        self._pool = Pool(guarded=False, maxsize=100, idle_s=IDLE_S)

    def get(self, path: str, query: Mapping[str, str | int]) -> Json:
        """Return the answer's object; raises the errors of :mod:`robots.client.errors`."""
        return self._call("GET", path, query, b"", _Leaving(float("inf")))

    def post(self, path: str, query: Mapping[str, str | int], body: Json, not_after: float = float("inf")) -> Json:
        """Post JSON. Past the monotonic instant ``not_after`` nothing leaves any more (:class:`NotSent`)."""
        return self._call("POST", path, query, json.dumps(body, ensure_ascii=False).encode(), _Leaving(not_after))

    def _call(self, method: str, path: str, query: Mapping[str, str | int], body: bytes, leaving: _Leaving) -> Json:
        try:
            answer = exchange(
                self._pool,
                self._place,
                method,
                f"{self._path}{path}?{urlencode(query)}",
                body=body,
                headers=_HEADERS,
                timeout=self._timeout_s,
                connect_timeout=CONNECT_S,
                max_bytes=MAX_ANSWER_BYTES,
                leaves=leaving,
            )
        except (HttpError, OSError) as error:
            # `from None`: a traceback of the causes could show the path, and with it the robot id
            raise _failure(leaving, type(error).__name__) from None
        return _read(answer.status, answer.body)


def _failure(leaving: _Leaving, kind: str) -> NotSent | Unknown:
    if not leaving.has_left:
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
