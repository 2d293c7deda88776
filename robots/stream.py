"""The inbound stream: one Redis stream per partition, from the door to the consumer.

Never trimmed: an entry leaves by XACK + XDEL after its transaction has committed. The Redis behind it must write every
change to disk (``appendfsync always``) and refuse instead of evict (``noeviction``).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings

__all__ = ["GROUP", "OWNER", "Callback", "fields_of", "from_fields", "partition_of", "partitions", "stream_of"]

GROUP = "consumers"
#: One name for whoever owns a partition: what the last owner left pending is then the next one's own.
OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback as the door took it. ``id`` is minted there; a message is stored under it."""

    id: UUID
    kind: str
    robot_id: UUID
    partition: int
    received_at: datetime
    content_type: str
    body: bytes


def partitions() -> range:
    """Return the numbers of all partitions."""
    return range(settings.INBOUND_PARTITIONS)


def partition_of(robot_id: UUID, room: str) -> int:
    """Return where the lines of one room of one robot go; what belongs to no room has the room ``""``."""
    return zlib.crc32(f"{robot_id}\0{room}".encode("utf-8", "replace")) % int(settings.INBOUND_PARTITIONS)


def stream_of(partition: int) -> str:
    """Return the key of a partition's stream."""
    return f"{settings.REDIS_PREFIX}:inbound:{partition}"


def fields_of(callback: Callback) -> dict[str, str | bytes]:
    """Return the stream entry of a callback; ``at`` is the door's time in epoch milliseconds."""
    return {
        "id": str(callback.id),
        "kind": callback.kind,
        "robot": str(callback.robot_id),
        "at": str(round(callback.received_at.timestamp() * 1000)),
        "content_type": callback.content_type,
        "body": callback.body,
    }


def from_fields(partition: int, fields: Mapping[bytes, bytes]) -> Callback:
    """Read a stream entry; ``KeyError`` or ``ValueError`` when it is none of ours."""
    return Callback(
        id=UUID(fields[b"id"].decode()),
        kind=fields[b"kind"].decode(),
        robot_id=UUID(fields[b"robot"].decode()),
        partition=partition,
        received_at=datetime.fromtimestamp(int(fields[b"at"]) / 1000, UTC),
        content_type=fields[b"content_type"].decode(),
        body=fields[b"body"],
    )
