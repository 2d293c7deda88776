"""The HTTP transport of the AI SDKs that are built on httpx2 (``openai``, ``anthropic``): urllib3 under its interface.

httpx2's own pool looks through all its connections at each request, so its cost grows with the calls in flight
(15 to 47 ms a message at 1,000); this one does not. Whole answers only, no streaming. Imports httpx2, so import this
module where an SDK is first used::

    OpenAI(max_retries=0, http_client=httpx2.Client(transport=Urllib3Transport(maxsize=1200), timeout=60))
"""

from __future__ import annotations

import ssl
from functools import lru_cache

import httpx2
from urllib3.exceptions import HTTPError

from worktool_ai.lib.http import NotSent, exchange, pool_manager

__all__ = ["Urllib3Transport", "shared_client"]

MAX_ANSWER_BYTES = 16 * 1024 * 1024
NO_LIMIT_S = 3600.0


class Urllib3Transport(httpx2.BaseTransport):
    """Sends through kept-alive urllib3 connections; certificates are verified, proxies are not used.

    A request's read time-out bounds the whole call, connecting included. ``maxsize`` is how many idle connections a
    host keeps; more are opened when needed. ``guarded`` refuses addresses that are not public
    (:class:`worktool_ai.lib.http.Refused`), for endpoints that come from a form.
    """

    def __init__(self, maxsize: int = 1200, context: ssl.SSLContext | None = None, *, guarded: bool = False) -> None:
        self._manager = pool_manager(guarded=guarded, maxsize=maxsize, context=context)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send once and read the whole answer; raises httpx2's errors."""
        limits = request.extensions.get("timeout", {})
        url = request.url
        pool = self._manager.connection_from_host(url.host, url.port, url.scheme)
        try:
            # left encoded: httpx2 decodes by the headers that it is handed
            answer, body = exchange(
                pool,
                request.method,
                url.raw_path.decode(),
                body=request.read(),
                headers=dict(request.headers.items()),
                timeout=limits.get("read") or NO_LIMIT_S,
                connect_timeout=limits.get("connect"),
                max_bytes=MAX_ANSWER_BYTES,
                decode=False,
            )
        except NotSent as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"{url.host}: no whole answer in time", request=request) from error
        except (HTTPError, OSError) as error:
            raise httpx2.ReadError(f"{url.host}: {type(error).__name__}", request=request) from error
        return httpx2.Response(answer.status, headers=list(answer.headers.items()), stream=httpx2.ByteStream(body))

    def close(self) -> None:
        self._manager.clear()


@lru_cache(maxsize=2)
def shared_client(allow_private: bool) -> httpx2.Client:
    """Return the process's one client for all vendors, keys and SDKs; nobody closes it."""
    return httpx2.Client(transport=Urllib3Transport(guarded=not allow_private), timeout=60.0)
