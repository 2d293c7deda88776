"""Notes of the addresses that we have the platform bind right now: it calls each first, with a body that says nothing.

The bodies of online and offline are documented nowhere, so an empty one may be such a call or the event itself. While
a note lies there it is the call; otherwise the phone has come or gone. Without Redis nothing can be bound (the request
limit lies there too), so then it is the event.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import redis
from django.conf import settings

from worktool_ai.lib.stores import redis_store

__all__ = ["being_bound", "note_key"]

#: Longer than any call to the platform lasts: the bound of a process that dies meanwhile.
NOTED_S = 60
#: A call that tries the address may still be on its way when binding has ended.
GRACE_S = 2


def note_key(robot_id: UUID, event: str) -> str:
    """Return where the note lies, in the durable Redis."""
    return f"{settings.REDIS_PREFIX}:binding:{robot_id}:{event}"


@contextmanager
def being_bound(robot_id: UUID, event: str) -> Iterator[None]:
    """Note for the length of the block that the address of an event is bound. Raises ``redis.RedisError``."""
    key = note_key(robot_id, event)
    with redis_store(settings.REDIS_URL) as store:
        store.set(key, "1", ex=NOTED_S)
        try:
            yield
        finally:
            with suppress(redis.RedisError):  # it goes by itself
                store.expire(key, GRACE_S)
