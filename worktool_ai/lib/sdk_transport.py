"""The HTTP transport of the AI SDKs that are built on httpx2 (``openai``, ``anthropic``): ours under its interface.

httpx2's own pool looks through all its connections at each request, so its cost grows with the calls in flight
(15 to 47 ms a message at 1,000); this one does not. Whole answers only, no streaming. Imports httpx2, so import this
module where an SDK is first used::

    OpenAI(max_retries=0, http_client=httpx2.Client(transport=Urllib3Transport(maxsize=1200), timeout=60))
"""

from __future__ import annotations

import ssl
from functools import lru_cache

import httpx2

from worktool_ai.lib.http import NotSent, Place, Pool, exchange

__all__ = ["Urllib3Transport", "shared_client"]

MAX_ANSWER_BYTES = 16 * 1024 * 1024
NO_LIMIT_S = 3600.0


class Urllib3Transport(httpx2.BaseTransport):
    """Sends through kept connections; certificates are verified, proxies are not used.

    A request's read time-out bounds the whole call, connecting included. ``maxsize`` is how many idle connections a
    host keeps; more are opened when needed. ``guarded`` refuses addresses that are not public
    (:class:`worktool_ai.lib.http.Refused`), for endpoints that come from a form.
    """

    def __init__(self, maxsize: int = 1200, context: ssl.SSLContext | None = None, *, guarded: bool = False) -> None:
        self._pool = Pool(guarded=guarded, maxsize=maxsize, context=context)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send once and read the whole answer; raises httpx2's errors."""
        limits = request.extensions.get("timeout", {})
        url = request.url
        try:
            # left encoded: httpx2 decodes by the headers that it is handed
            answer = exchange(
                self._pool,
                Place(url.scheme, url.host, url.port),
                request.method,
                url.raw_path.decode(),
                body=request.read(),
                headers=dict(request.headers.items()),
                timeout=limits.get("read") or NO_LIMIT_S,
                connect_timeout=limits.get("connect"),
                max_bytes=MAX_ANSWER_BYTES,
                unpack=False,
            )
        except NotSent as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"{url.host}: no whole answer in time", request=request) from error
        except OSError as error:
            raise httpx2.ReadError(f"{url.host}: {type(error).__name__}", request=request) from error
        return httpx2.Response(answer.status, headers=answer.headers, stream=httpx2.ByteStream(answer.body))

    def close(self) -> None:
        self._pool.clear()


@lru_cache(maxsize=2)
def shared_client(allow_private: bool) -> httpx2.Client:
    """Return the process's one client for all vendors, keys and SDKs; nobody closes it."""
    return httpx2.Client(transport=Urllib3Transport(guarded=not allow_private), timeout=60.0)
