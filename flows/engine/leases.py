"""Leases that are given back, and their counters set right.

Everybody locks leases first and in one order, then looks at runs in a later statement: whoever adds or changes a run
holds the lease meanwhile, so what is read then is current.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

__all__ = ["lock", "lock_held", "recount", "release"]

_LOCK = """
SELECT epoch FROM flows_conversationlease WHERE conversation_id = %s FOR UPDATE
"""

_LOCK_HELD = """
SELECT lease.conversation_id
  FROM flows_conversationlease AS lease
  JOIN unnest(%(conversations)s::uuid[], %(epochs)s::bigint[]) AS wanted(conversation_id, epoch)
       USING (conversation_id, epoch)
 ORDER BY lease.conversation_id FOR UPDATE OF lease
"""

#: The lease is due when its head run is: at once, or when that run's ``flush_at`` has come.
_RECOUNT = """
UPDATE flows_conversationlease AS lease
   SET queued = (SELECT count(*) FROM flows_run AS run
                  WHERE run.conversation_id = lease.conversation_id AND run.state IN ('queued', 'active')),
       due_at = (SELECT greatest(run.flush_at, %(now)s) FROM flows_run AS run
                  WHERE run.conversation_id = lease.conversation_id AND run.state IN ('queued', 'active')
                  ORDER BY run.state = 'active' DESC, run.seq LIMIT 1),
       until = CASE WHEN %(release)s THEN NULL ELSE lease.until END,
       holder = CASE WHEN %(release)s THEN '' ELSE lease.holder END,
       epoch = lease.epoch + %(epochs)s
 WHERE lease.conversation_id = ANY(%(conversations)s)
"""


def lock(cursor: Any, conversation_id: UUID) -> int | None:
    """Lock a conversation's lease; returns its epoch, or None where it has none."""
    cursor.execute(_LOCK, [conversation_id])
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def lock_held(cursor: Any, conversations: Sequence[UUID], epochs: Sequence[int]) -> list[UUID]:
    """Lock those leases that still stand at these epochs, and return their conversations."""
    cursor.execute(_LOCK_HELD, {"conversations": list(conversations), "epochs": list(epochs)})
    return [row[0] for row in cursor.fetchall()]


def recount(cursor: Any, conversations: Sequence[UUID], now: datetime) -> None:
    """Set the counters of locked leases by their runs."""
    _set(cursor, conversations, now, release=False)


def release(cursor: Any, conversations: Sequence[UUID], now: datetime, *, fence: bool = False) -> None:
    """Free locked leases and set their counters; with ``fence`` whoever holds one can write nothing any more."""
    _set(cursor, conversations, now, release=True, epochs=int(fence))


def _set(cursor: Any, conversations: Sequence[UUID], now: datetime, *, release: bool, epochs: int = 0) -> None:
    cursor.execute(_RECOUNT, {"conversations": list(conversations), "now": now, "release": release, "epochs": epochs})
