"""The site as one ASGI application: the callback door and health beside Django, sockets through Channels."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worktool_ai.settings")
django_application = get_asgi_application()  # sets Django up: what follows imports models

from monitoring import health  # noqa: E402
from monitoring.routing import websocket_application  # noqa: E402
from robots.door import PREFIX, Door  # noqa: E402
from robots.door.http import Receive, Scope, Send  # noqa: E402
from worktool_ai.lib import memory  # noqa: E402

__all__ = ["Site", "application"]


class Site:
    """Hands each connection to the part that serves it. What bypasses Django costs a twenty-fifth of a view."""

    def __init__(self) -> None:
        self.door = Door()
        self.health = health.Health()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await websocket_application(scope, receive, send)
        elif scope["path"].startswith(PREFIX):
            await self.door(scope, receive, send)
        elif scope["path"] in health.PATHS:
            await self.health(scope, receive, send)
        else:
            await django_application(scope, receive, send)  # type: ignore[arg-type]

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.door.start()
                memory.settle()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.door.stop()
                await self.health.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


application = Site()
