"""The door: a small ASGI app beside Django that takes the platform's callbacks.

A callback answered with 200 is durable: in the inbound stream (``appendfsync always``), or in the PostgreSQL inbox when
Redis is away or the body is large. Everything else is refused with a status and an *empty* message, because the
platform posts the message of a refusal into the customer's chat.
"""

from __future__ import annotations

from robots.door.app import PREFIX, Door

__all__ = ["PREFIX", "Door"]
