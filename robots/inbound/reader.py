"""Reading the inbound streams of the partitions that this process owns.

Whoever owns a partition is the only one to read it, and what has been handled is deleted: so what is there is what is
to be handled, oldest first, whoever had read it before. A consumer group would say the same once more, and write
(``appendfsync always``: on disk, while callbacks wait) at each read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from robots.stream import stream_of
from worktool_ai.lib.stores import redis_store

__all__ = ["Entry", "Reading", "StreamReader"]

#: Kept well above the time that a read blocks; a Redis that hangs is noticed by it.
TIMEOUT_S = 5.0
BLOCK_MS = 500
#: Entries of one read, per partition.
COUNT = 100

_OLDEST = "0"


@dataclass(frozen=True, slots=True)
class Entry:
    """A stream entry."""

    partition: int
    id: bytes
    fields: dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read found, and the partitions whose streams were empty while it was under way."""

    entries: list[Entry]
    drained: frozenset[int]


class StreamReader:
    """Reads the partitions that this process owns. All methods raise ``redis.RedisError`` when Redis is away."""

    def __init__(self, block_ms: int = BLOCK_MS) -> None:
        self._redis = redis_store(settings.REDIS_URL, TIMEOUT_S, connect_s=2.0, retries=0)
        self._block_ms = block_ms
        self._streams: dict[str, int] = {}

    def own(self, partitions: Iterable[int]) -> None:
        """Read these partitions from now on."""
        self._streams = {stream_of(number): number for number in partitions}

    def close(self) -> None:
        self._redis.close()

    def read(self) -> Reading:
        """Return the oldest entries in order; none after half a second without any."""
        if not self._streams:
            return Reading([], frozenset())
        positions: Any = dict.fromkeys(self._streams, _OLDEST)
        entries = list(_entries(self._redis.xread(positions, count=COUNT, block=self._block_ms), self._streams))
        filled = {entry.partition for entry in entries}
        return Reading(entries, frozenset(self._streams.values()) - filled)

    def remove(self, entries: Sequence[Entry]) -> None:
        """Remove handled entries for good; the next read would find them again."""
        by_stream: defaultdict[str, list[bytes]] = defaultdict(list)
        for entry in entries:
            by_stream[stream_of(entry.partition)].append(entry.id)
        with self._redis.pipeline(transaction=False) as pipe:
            for stream, ids in by_stream.items():
                pipe.xdel(stream, *ids)
            pipe.execute()


def _entries(answer: Any, numbers: dict[str, int]) -> Iterator[Entry]:
    """Read the answer of XREAD: a mapping or a list of pairs, by protocol."""
    pairs = answer.items() if isinstance(answer, dict) else answer or []
    for stream, entries in pairs:
        nested = entries and isinstance(entries[0], list)
        for entry_id, fields in entries[0] if nested else entries:
            yield Entry(numbers[stream.decode()], entry_id, fields)
