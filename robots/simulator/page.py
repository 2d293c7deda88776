"""The chat page: static files out of the package. It talks to ``/sim`` with the token from its own address."""

from __future__ import annotations

from importlib.resources import files
from pathlib import PurePosixPath
from typing import Final

from worktool_ai.lib.loopback import Request, Response

_INDEX: Final = "index.html"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_FILES: Final = {
    file.name: file
    for file in files("robots.simulator").joinpath("static").iterdir()
    if PurePosixPath(file.name).suffix in _TYPES
}
_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    # pictures that were pushed into a chat lie with whoever pushed them, on this machine; the page's own are blobs
    "img-src 'self' blob: http://127.0.0.1:* http://localhost:*; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
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
    name = _INDEX if request.path == "/" else request.path.removeprefix("/page/")
    if name not in _FILES:
        return None
    return Response(200, _FILES[name].read_bytes(), _TYPES[PurePosixPath(name).suffix], dict(_HEADERS))
