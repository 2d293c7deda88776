"""What waits between the door and the stored line: in the stream, and in the PostgreSQL inbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from django.db.models import Count, Min

from robots.models import InboxEntry
from robots.stream import partitions, stream_of
from worktool_ai.lib.stores import redis_store

__all__ = ["Waiting", "in_inbox", "in_stream"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many callbacks wait, and since when the oldest does (None: nothing waits)."""

    count: int
    oldest_at: datetime | None


def in_stream() -> Waiting:
    """Return what lies in the streams, delivered to the consumer or not; raises ``redis.RedisError``."""
    with _client(settings.REDIS_URL).pipeline(transaction=False) as pipe:
        for number in partitions():
            pipe.xlen(stream_of(number))
            pipe.xrange(stream_of(number), count=1)
        answers: list[Any] = pipe.execute()
    oldest = [entries[0][0] for entries in answers[1::2] if entries]
    return Waiting(sum(answers[0::2]), min((_time_of(entry_id) for entry_id in oldest), default=None))


def in_inbox() -> Waiting:
    """Return what lies in the inbox."""
    found = InboxEntry.objects.aggregate(count=Count("pk"), oldest_at=Min("received_at"))
    return Waiting(found["count"], found["oldest_at"])


def _time_of(entry_id: bytes) -> datetime:
    return datetime.fromtimestamp(int(entry_id.split(b"-")[0]) / 1000, UTC)


@lru_cache(maxsize=2)
def _client(url: str) -> redis.Redis:
    return redis_store(url, 5.0, connect_s=2.0)
