"""Reading the event log back: what a client missed, from the table."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.db import connection

from worktool_ai.events.cursor import Batch, BatchPosition, Cursor
from worktool_ai.events.models import EventBatch, RelayPosition
from worktool_ai.lib import clock

__all__ = ["KEPT", "current", "replay"]

#: How far back a client can resume.
KEPT = timedelta(hours=24)
#: Batches handed to one client; one that missed more loads its page again, which is cheaper for both.
MOST = 2_000

_AFTER = """
SELECT xid, id, items FROM events_eventbatch
WHERE (xid, id) > (%s::text::xid8, %s) AND (xid, id) <= (%s::text::xid8, %s)
ORDER BY xid, id LIMIT %s
"""


def current() -> Cursor:
    """Return the cursor of the last published batch: load a page's data *after* asking, then listen from here."""
    at, _created = RelayPosition.objects.get_or_create(pk=1)
    return Cursor(at.epoch, BatchPosition(at.xid, at.batch_id))


def replay(after: Cursor, until: Cursor) -> list[Batch] | None:
    """Return the batches in ``(after, until]``, oldest first; None when they cannot be told any more: reload.

    ``until`` must have been published: everything before it has ended, so nothing can appear in between later.
    """
    if after.epoch != until.epoch:
        return None
    if after.position >= until.position:
        return []
    if not _still_kept(after):
        return None
    first, last = after.position, until.position
    with connection.cursor() as cursor:
        cursor.execute(_AFTER, [str(first.xid), first.id, str(last.xid), last.id, MOST + 1])
        rows = cursor.fetchall()
    if len(rows) > MOST:
        return None
    return [Batch(BatchPosition(int(xid), number), _decoded(items)) for xid, number, items in rows]


def _decoded(items: str) -> list[dict[str, Any]]:
    decoded: list[dict[str, Any]] = json.loads(items)  # a bare cursor of Django's hands jsonb through as text
    return decoded


def _still_kept(cursor: Cursor) -> bool:
    """Tell whether the row of a cursor is there and young: then everything after it is there too."""
    if cursor.position == (0, 0):
        return not EventBatch.objects.filter(created_at__lt=clock.now() - KEPT).exists()
    row = EventBatch.objects.filter(pk=cursor.position.id).values_list("created_at", flat=True).first()
    return row is not None and row > clock.now() - KEPT
