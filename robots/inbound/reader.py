"""Reading the inbound streams: first what the last owner of a partition left pending, then what is new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from robots.stream import GROUP, OWNER, stream_of

__all__ = ["Entry", "Reading", "StreamReader"]

#: Kept well above the time that a read blocks; a Redis that hangs is noticed by it.
TIMEOUT_S = 5.0
BLOCK_MS = 500
#: Entries of one read, per partition.
COUNT = 100

_PENDING, _NEW = "0", ">"
#: What Redis says when the streams were wiped, before or during a read.
_GROUP_GONE = ("NOGROUP", "UNBLOCKED")


@dataclass(frozen=True, slots=True)
class Entry:
    """A stream entry; ``fields`` are empty when it was deleted while pending."""

    partition: int
    id: bytes
    fields: dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read found, and the partitions whose streams were empty while it was under way."""

    entries: list[Entry]
    drained: frozenset[int]


_NOTHING = Reading([], frozenset())


class StreamReader:
    """Reads the partitions that this process owns. All methods raise ``redis.RedisError`` when Redis is away."""

    def __init__(self, block_ms: int = BLOCK_MS) -> None:
        self._redis = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=2.0,
            retry=Retry(NoBackoff(), 0),
        )
        self._block_ms = block_ms
        self._positions: dict[int, str] = {}

    def own(self, partitions: Iterable[int]) -> None:
        """Read these partitions from now on; new ones from their pending entries on."""
        self._positions = {number: self._positions.get(number, _PENDING) for number in partitions}

    def start_over(self) -> None:
        """Read pending entries again: some that were handed out have not been acknowledged."""
        self._positions = dict.fromkeys(self._positions, _PENDING)

    def close(self) -> None:
        self._redis.close()

    def read(self) -> Reading:
        """Return the next entries in order; none after half a second without any."""
        if not self._positions:
            return _NOTHING
        numbers = {stream_of(number): number for number in self._positions}
        try:
            answer = self._read_group()
        except redis.ResponseError as error:
            if not str(error).startswith(_GROUP_GONE):
                raise
            self._make_groups()
            return _NOTHING
        entries = list(_entries(answer, numbers))
        empty = self._positions.keys() - {entry.partition for entry in entries}
        drained = frozenset(number for number in empty if self._positions[number] == _NEW)
        # Once nothing is pending any more, what is new is read.
        self._positions.update(dict.fromkeys(empty, _NEW))
        return Reading(entries, drained)

    def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Remove handled entries for good."""
        by_stream: defaultdict[str, list[bytes]] = defaultdict(list)
        for entry in entries:
            by_stream[stream_of(entry.partition)].append(entry.id)
        with self._redis.pipeline(transaction=False) as pipe:
            for stream, ids in by_stream.items():
                pipe.xack(stream, GROUP, *ids)
                pipe.xdel(stream, *ids)
            pipe.execute()

    def _read_group(self) -> Any:
        waiting = any(position == _PENDING for position in self._positions.values())
        streams: Any = {stream_of(number): position for number, position in self._positions.items()}
        return self._redis.xreadgroup(
            GROUP,
            OWNER,
            streams,
            count=COUNT,
            block=None if waiting else self._block_ms,
        )

    def _make_groups(self) -> None:
        """Make the groups of new streams, and of a Redis that was wiped; they begin with the oldest entry."""
        for number in self._positions:
            try:
                self._redis.xgroup_create(stream_of(number), GROUP, id="0", mkstream=True)
            except redis.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise


def _entries(answer: Any, numbers: dict[str, int]) -> Iterator[Entry]:
    """Read the answer of XREADGROUP: a mapping or a list of pairs, by protocol."""
    pairs = answer.items() if isinstance(answer, dict) else answer or []
    for stream, entries in pairs:
        nested = entries and isinstance(entries[0], list)
        for entry_id, fields in entries[0] if nested else entries:
            yield Entry(numbers[stream.decode()], entry_id, fields or {})
