"""The inbound stream: one Redis stream per partition, from the door to the consumer.

Never trimmed: an entry leaves by XDEL after its transaction has committed. The Redis behind it must write every
change to disk (``appendfsync always``) and refuse instead of evict (``noeviction``).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings

__all__ = ["Callback", "fields_of", "from_fields", "partition_of", "partitions", "stream_of"]


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
    """Return the stream entry of a callback: ``head`` tells of the ``body``, which stays as it came.

    Two fields only: each costs the door, Redis and the consumer as much as the rest of an entry's handling.
    """
    at_ms = round(callback.received_at.timestamp() * 1000)
    head = (callback.id.hex, callback.kind, callback.robot_id.hex, str(at_ms), callback.content_type)
    return {"head": "\n".join(head), "body": callback.body}


def from_fields(partition: int, fields: Mapping[bytes, bytes]) -> Callback:
    """Read a stream entry; ``KeyError`` or ``ValueError`` when it is none of ours."""
    if b"head" not in fields:
        return from_fields(partition, _joined(fields))
    # the last part is the sender's own text, which may hold anything
    id_, kind, robot_id, at_ms, content_type = fields[b"head"].decode().split("\n", 4)
    return Callback(
        id=UUID(id_),
        kind=kind,
        robot_id=UUID(robot_id),
        partition=partition,
        received_at=datetime.fromtimestamp(int(at_ms) / 1000, UTC),
        content_type=content_type,
        body=fields[b"body"],
    )


def _joined(fields: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return an entry that a door of before 2026-11-23 has left as it would be written now."""
    head = b"\n".join(fields[name] for name in (b"id", b"kind", b"robot", b"at", b"content_type"))
    return {b"head": head, b"body": fields[b"body"]}
