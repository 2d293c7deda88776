"""Addresses of the sockets; ``worktool_ai.asgi`` mounts them."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.urls import path

from monitoring.consumers import BusinessPanelConsumer
from monitoring.live.origin import SameOrigin

__all__ = ["websocket_application", "websocket_urlpatterns"]

websocket_urlpatterns = [
    path("ws/panel/business", BusinessPanelConsumer.as_asgi()),
]

websocket_application: Any = SameOrigin(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
