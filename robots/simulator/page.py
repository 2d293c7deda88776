"""The chat page: three static files out of the package. It talks to ``/sim`` with the token from its own
address.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from worktool_ai.lib.loopback import Request, Response

_TYPES: Final = {
    "index.html": "text/html; charset=utf-8",
    "chat.css": "text/css; charset=utf-8",
    "chat.js": "text/javascript; charset=utf-8",
}
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def serve_page(request: Request) -> Response | None:
    """Return the page's file at this path, or ``None`` when the path is not the page's."""
    if request.method != "GET":
        return None
    if request.path == "/favicon.ico":
        return Response(204)
    name = "index.html" if request.path == "/" else request.path.removeprefix("/page/")
    if name not in _TYPES:
        return None
    body = files("robots.simulator").joinpath("static", name).read_bytes()
    return Response(200, body, _TYPES[name], dict(_HEADERS))
