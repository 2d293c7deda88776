"""Whether a body that says nothing is the platform trying an address out, or the event itself."""

from __future__ import annotations

from uuid import UUID

import redis
from django.conf import settings

from robots.bind_notes import note_key
from robots.models.inbound import CallbackKind
from worktool_ai.lib.async_stores import redis_client

__all__ = ["Probes"]

ASK_S = 0.4
#: Their bodies are documented nowhere: they may be empty.
_UNDOCUMENTED = frozenset({CallbackKind.ONLINE, CallbackKind.OFFLINE})


class Probes:
    """Asks for the notes that :mod:`robots.bind_notes` leaves."""

    def __init__(self) -> None:
        self._redis = redis_client(settings.REDIS_URL, ASK_S)

    async def stop(self) -> None:
        await self._redis.aclose()

    async def is_one(self, kind: str, robot_id: UUID) -> bool:
        """Tell whether an empty body of this kind tries the address out. Unknown is no: then nothing is bound."""
        if kind not in _UNDOCUMENTED:
            return True
        try:
            return bool(await self._redis.exists(note_key(robot_id, kind)))
        except (redis.RedisError, OSError):
            return False
