"""A page of another site must not open a socket with a visitor's session."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings

__all__ = ["SameOrigin"]


class SameOrigin:
    """Admits a socket only from a page of the host that it connects to, or of PUBLIC_URL (behind a proxy).

    Stricter than ``AllowedHostsOriginValidator``, which lets everybody in where ALLOWED_HOSTS is ``*``.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if self._is_ours(dict(scope["headers"])):
            return await self.application(scope, receive, send)
        return await WebsocketDenier()(scope, receive, send)

    @staticmethod
    def _is_ours(headers: dict[bytes, bytes]) -> bool:
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1")).netloc.lower()
        host = headers.get(b"host", b"").decode("latin-1").lower()
        return bool(origin) and origin in {host, urlsplit(settings.PUBLIC_URL).netloc.lower()}
