"""The PostgreSQL inbox: callbacks that could not or should not go through Redis, taken in their place in the order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from robots.models import InboxEntry
from robots.stream import Callback
from worktool_ai.lib.db import prepared_cursor

__all__ = ["Taken", "remove", "take"]

MAX_ROWS = 100
#: Bodies taken at once: pictures are large, and a batch is in memory.
MAX_BYTES = 32 * 1024 * 1024

_TAKE = """
WITH due AS (
    SELECT id, sum(octet_length(body)) OVER (ORDER BY id) - octet_length(body) AS before
    FROM (
        SELECT entry.id, entry.body
        FROM unnest(%(partitions)s::int[], %(below)s::uuid[]) AS bound (partition, below)
        JOIN robots_inboxentry AS entry ON entry.partition = bound.partition AND entry.id < bound.below
        WHERE %(until)s::timestamptz IS NULL OR entry.received_at <= %(until)s::timestamptz
        ORDER BY entry.id LIMIT %(rows)s
    ) AS oldest
), taken AS (
    DELETE FROM robots_inboxentry WHERE id IN (SELECT id FROM due WHERE before < %(bytes)s)
    RETURNING id, kind, robot_id, partition, received_at, content_type, body
)
SELECT *, (SELECT count(*) FROM due) FROM taken ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken. ``more``: there may be further entries that belong before the batch at hand."""

    callbacks: list[Callback]
    more: bool


def take(bounds: Mapping[int, UUID], until: datetime | None = None) -> Taken:
    """Take the oldest entries out, in the caller's transaction: of each partition those before its id in ``bounds``.

    With ``until`` only those that the door took by then.
    """
    params: dict[str, Any] = {
        "partitions": list(bounds),
        "below": list(bounds.values()),
        "until": until,
        "rows": MAX_ROWS,
        "bytes": MAX_BYTES,
    }
    with prepared_cursor() as cursor:
        cursor.execute(_TAKE, params)
        rows: Sequence[Any] = cursor.fetchall()
    callbacks = [_callback(row) for row in rows]
    found = rows[0][7] if rows else 0
    return Taken(callbacks, more=found == MAX_ROWS or found > len(callbacks))


def _callback(row: Sequence[Any]) -> Callback:
    id_, kind, robot_id, partition, received_at, content_type, body, _found = row
    return Callback(id_, kind, robot_id, partition, received_at, content_type, bytes(body))


def remove(ids: Iterable[UUID]) -> None:
    """Remove entries that were handled one by one, in the caller's transaction."""
    InboxEntry.objects.filter(pk__in=list(ids)).delete()
