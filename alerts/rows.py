"""The one statement that opens an alert or counts it up, whoever else is doing the same."""

from __future__ import annotations

import json
from datetime import datetime

from django.db import connection

from alerts.types import AlertDraft, RaisedAlert
from worktool_ai.lib.ids import uuid7

__all__ = ["upsert_alert"]

# The keys of an alert's occurrences stand in its data, so that one that is reported again is not counted again.
_UPSERT = """
INSERT INTO alerts_alert AS known (
    id, code, level, title, fingerprint, state, count, first_at, last_at, robot_id, room_id, message_id, run_id, data
) VALUES (
    %(id)s, %(code)s, %(level)s, %(title)s, %(fingerprint)s, 'open', 1, %(at)s, %(at)s, %(robot)s, %(room)s,
    %(message)s, %(run)s, %(data)s::jsonb || jsonb_build_object('keys', %(keys)s::jsonb)
)
ON CONFLICT (fingerprint) WHERE state <> 'resolved' DO UPDATE SET
    count = known.count + 1,
    last_at = excluded.last_at,
    level = CASE
        WHEN array_position(ARRAY['info', 'warning', 'critical'], excluded.level::text)
           > array_position(ARRAY['info', 'warning', 'critical'], known.level::text)
        THEN excluded.level ELSE known.level END,
    title = excluded.title,
    message_id = coalesce(excluded.message_id, known.message_id),
    run_id = coalesce(excluded.run_id, known.run_id),
    data = excluded.data || jsonb_build_object(
        'keys', (coalesce(known.data->'keys', '[]'::jsonb) || (excluded.data->'keys')))
WHERE NOT coalesce(known.data->'keys', '[]'::jsonb) ?| %(given)s
RETURNING id, level, count, (xmax = 0)
"""

_KNOWN = """
SELECT id, level, count, data->'keys'->>0 = %s FROM alerts_alert WHERE fingerprint = %s AND state <> 'resolved'
"""


def upsert_alert(draft: AlertDraft, moment: datetime) -> RaisedAlert:
    """Open or count up in the caller's transaction; an occurrence whose key is known changes nothing."""
    keys = [draft.key] if draft.key else []
    with connection.cursor() as cursor:
        cursor.execute(
            _UPSERT,
            {
                "id": uuid7(),
                "code": draft.code[:60],
                "level": draft.level,
                "title": draft.title[:200],
                "fingerprint": draft.fingerprint[:200],
                "at": moment,
                "robot": draft.robot_id,
                "room": draft.room_id,
                "message": draft.message_id,
                "run": draft.run_id,
                "data": json.dumps(dict(draft.data), ensure_ascii=False, default=str),
                "keys": json.dumps(keys),
                "given": keys,
            },
        )
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_KNOWN, [draft.key, draft.fingerprint[:200]])
            row = cursor.fetchone()
    return RaisedAlert(*row)
