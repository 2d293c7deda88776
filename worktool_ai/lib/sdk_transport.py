"""The HTTP transport of the AI SDKs that are built on httpx2 (``openai``, ``anthropic``): ours under its interface.

httpx2's own pool looks through all its connections at each request, so its cost grows with the calls in flight
(15 to 47 ms a message at 1,000); this one does not. Whole answers only, no streaming. Imports httpx2, so import this
module where an SDK is first used::

    OpenAI(max_retries=0, http_client=httpx2.Client(transport=Urllib3Transport(maxsize=1200), timeout=60))
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import Any

import httpx2

from worktool_ai.lib.http import NotSent, Place, Pool, exchange

__all__ = ["DirectClient", "Urllib3Transport", "shared_client"]

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
                headers={name.decode(): value.decode("latin-1") for name, value in request.headers.raw},
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
        return httpx2.Response(answer.status, headers=answer.headers, content=answer.body)

    def close(self) -> None:
        self._pool.clear()


class DirectClient(httpx2.Client):
    """Sends the SDKs' requests as they are: without redirects, cookies, authentication, proxies or headers of its own,
    which SDKs do not use and which cost as much as the exchange itself.
    """

    def __init__(self, transport: httpx2.BaseTransport, **settings: Any) -> None:
        super().__init__(transport=transport, trust_env=False, **settings)
        self._direct = transport

    def build_request(
        self, method: str, url: httpx2.URL | str, *, timeout: Any = httpx2.USE_CLIENT_DEFAULT, **parts: Any
    ) -> httpx2.Request:
        limits = self.timeout if timeout is httpx2.USE_CLIENT_DEFAULT else httpx2.Timeout(timeout)
        return httpx2.Request(method, _parsed(str(url)), extensions={"timeout": limits.as_dict()}, **parts)

    def send(self, request: httpx2.Request, **_more: Any) -> httpx2.Response:
        """Send once. The answer is read already, ``stream`` or not; 3xx are answers, too."""
        response = self._direct.handle_request(request)
        response.request = request
        return response


#: Endpoints are few, and parsing an address is slow.
_parsed = lru_cache(maxsize=64)(httpx2.URL)


@lru_cache(maxsize=2)
def shared_client(allow_private: bool) -> httpx2.Client:
    """Return the process's one client for all vendors, keys and SDKs; nobody closes it."""
    return DirectClient(Urllib3Transport(guarded=not allow_private), timeout=60.0)
