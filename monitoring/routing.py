"""Addresses of the sockets; ``worktool_ai.asgi`` mounts them."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.urls import path

from monitoring.consumers import BusinessPanelConsumer

__all__ = ["websocket_application", "websocket_urlpatterns"]

websocket_urlpatterns = [
    path("ws/panel/business", BusinessPanelConsumer.as_asgi()),
]

#: Foreign pages cannot open a socket with a visitor's session: the Origin must be one of our hosts.
websocket_application: Any = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
