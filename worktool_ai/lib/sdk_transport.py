"""The HTTP transport of the AI SDKs: urllib3 under httpx2's interface.

httpx2's own pool looks through all its connections at each request, so its cost grows with the calls in flight
(15 to 47 ms a message at 1,000); this one does not. Whole answers only, no streaming. Imports httpx2, so import this
module where an SDK is first used::

    OpenAI(max_retries=0, http_client=httpx2.Client(transport=Urllib3Transport(maxsize=1200), timeout=60))
"""

from __future__ import annotations

import ssl
import time

import httpx2
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Timeout

from worktool_ai.lib.http import NotSent, pool_manager, read_whole

__all__ = ["Urllib3Transport"]

MAX_ANSWER_BYTES = 16 * 1024 * 1024


class Urllib3Transport(httpx2.BaseTransport):
    """Sends through kept-alive urllib3 connections; certificates are verified, proxies are not used.

    ``maxsize`` is how many idle connections a host keeps; more are opened when needed. ``guarded`` refuses addresses
    that are not public (:class:`worktool_ai.lib.http.Refused`), for endpoints that come from a form.
    """

    def __init__(self, maxsize: int = 1200, context: ssl.SSLContext | None = None, *, guarded: bool = False) -> None:
        self._manager = pool_manager(guarded=guarded, maxsize=maxsize, context=context)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send once and read the whole answer within the request's own time-outs; raises httpx2's errors."""
        limits = request.extensions.get("timeout", {})
        read_limit = limits.get("read")
        url = request.url
        pool = self._manager.connection_from_host(url.host, url.port, url.scheme)
        try:
            answer = pool.urlopen(
                request.method,
                url.raw_path.decode(),
                body=request.read(),
                headers=dict(request.headers.items()),
                retries=False,
                redirect=False,
                timeout=Timeout(connect=limits.get("connect"), read=read_limit),
                preload_content=False,
            )
            deadline = time.monotonic() + (read_limit or 3600)
            # left encoded: httpx2 decodes by the headers that it is handed
            body = read_whole(answer, MAX_ANSWER_BYTES, deadline, decode=False)
        except NotSent as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        except (ReadTimeoutError, TimeoutError) as error:
            raise httpx2.ReadTimeout(f"{url.host}: no whole answer in time", request=request) from error
        except (HTTPError, OSError) as error:
            raise httpx2.ReadError(f"{url.host}: {type(error).__name__}", request=request) from error
        return httpx2.Response(answer.status, headers=list(answer.headers.items()), stream=httpx2.ByteStream(body))

    def close(self) -> None:
        self._manager.clear()
