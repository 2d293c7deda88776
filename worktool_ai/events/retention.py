"""Keeping the event log small: panels resume within 24 hours, so older rows serve nobody."""

from __future__ import annotations

from django.db import connection

from worktool_ai.events.models import RelayPosition
from worktool_ai.events.reader import KEPT
from worktool_ai.lib import retention

__all__ = ["delete_old"]

# The last row stays, however old: it is the cursor of everybody who has seen everything. Twice the promised
# time, so that no client loses its place to a paced delete in mid-replay.
_DELETE = """
DELETE FROM events_eventbatch WHERE id IN (
    SELECT id FROM events_eventbatch
    WHERE id <= (SELECT coalesce(max(id), 0) - 1 FROM events_eventbatch) ORDER BY id LIMIT %s
) AND created_at < clock_timestamp() - make_interval(secs => %s)
"""


def delete_old(limit: int = 5_000) -> int:
    """Delete at most ``limit`` of the oldest rows past their time; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, [limit, KEPT.total_seconds() * 2])
        return int(cursor.rowcount)


retention.register("events.eventbatch", delete_old)
retention.never("one row: how far the relay has come", RelayPosition)
