"""What the ``dashscope`` SDK takes for a session of ``requests``: its one method and its answer.

``requests`` reads ``~/.netrc`` and proxies from the environment at each call, shares cookies among keys, and its broken
connections make the SDK send again; none of this happens here. Whole answers only, no streaming.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from worktool_ai.lib.http import Place, Pool, exchange

__all__ = ["SessionResponse", "Urllib3Session"]

MAX_ANSWER_BYTES = 16 * 1024 * 1024
CONNECT_S = 5.0


class SessionResponse:
    """A whole answer; header names are in lower case."""

    def __init__(self, status_code: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status_code = status_code
        self.headers = headers
        self.content = content

    def json(self) -> Any:
        """Parse the body; raises ``ValueError``, but an error status never hides behind a broken body."""
        try:
            document = json.loads(self.content)
            if isinstance(document, dict):
                return document
        except ValueError:
            pass
        if self.status_code == 200:
            raise ValueError("the body is not a JSON object")
        return {}


class Urllib3Session:
    """Posts through kept connections; certificates are verified, proxies are not used.

    ``maxsize`` is how many idle connections a host keeps; more are opened when needed. ``guarded`` refuses addresses
    that are not public (:class:`worktool_ai.lib.http.Refused`).
    """

    def __init__(self, maxsize: int = 1200, *, guarded: bool = False) -> None:
        self._pool = Pool(guarded=guarded, maxsize=maxsize)

    def post(
        self, url: str, *, data: bytes, headers: Mapping[str, str], timeout: float, stream: bool = False
    ) -> SessionResponse:
        """Send once; ``timeout`` seconds bound the whole call.

        Raises ``worktool_ai.lib.http``'s ``Refused`` and ``NotSent``, ``TimeoutError`` and ``OSError``.
        """
        if stream:
            raise ValueError("answers are not streamed")
        target = urlsplit(url)
        answer = exchange(
            self._pool,
            Place(target.scheme, target.hostname or "", target.port),
            "POST",
            f"{target.path}?{target.query}" if target.query else target.path,
            body=data,
            headers=headers,
            timeout=timeout,
            connect_timeout=CONNECT_S,
            max_bytes=MAX_ANSWER_BYTES,
        )
        lowered = {name.lower(): value for name, value in answer.headers}
        return SessionResponse(answer.status, lowered, answer.body)
