"""Which commands may leave now: one statement that claims them, and one that closes those which never may."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from robots.models import Command, CommandState, Conversation, Mode, Robot
from robots.transitions import CHANGED_ROWS, Changed, announce, changed_rows
from worktool_ai.lib import clock

__all__ = ["HOLD_UNKNOWN", "claim", "claimable", "close_overdue"]

#: So long an unknown command keeps later ones of its room waiting; then an operator decides about it.
HOLD_UNKNOWN = timedelta(seconds=120)

_COMMANDS = Command._meta.db_table
_CONVERSATIONS = Conversation._meta.db_table
_ROBOTS = Robot._meta.db_table

#: Queued, due, of a robot that sends itself, and first in its room: none before it is queued, being sent or unknown.
#: OFFSET 0 keeps the planner from joining all open commands with each other, which it does when its statistics date
#: from an empty queue: each command looks its room up in the index instead.
_NEXT = f"""
FROM {_COMMANDS} AS command
JOIN {_ROBOTS} AS robot ON robot.id = command.robot_id AND robot.is_active AND robot.mode = '{Mode.AUTOMATIC}'
LEFT JOIN {_CONVERSATIONS} AS conversation ON conversation.id = command.conversation_id
WHERE command.state = '{CommandState.QUEUED}'
  AND (command.not_before IS NULL OR command.not_before <= %(now)s)
  AND NOT EXISTS (
    SELECT FROM {_COMMANDS} AS earlier
    WHERE earlier.robot_id = command.robot_id AND earlier.target = command.target AND earlier.seq < command.seq
      AND earlier.state IN ('{CommandState.QUEUED}', '{CommandState.SENDING}', '{CommandState.UNKNOWN}')
      AND (earlier.state <> '{CommandState.UNKNOWN}' OR earlier.sending_at > %(held_since)s)
    OFFSET 0)
"""

#: What becomes of a queued command that is looked at now.
_VERDICT = f"""CASE
    WHEN command.expires_at <= %(now)s THEN '{CommandState.EXPIRED}'
    WHEN conversation.owner_epoch <> command.owner_epoch THEN '{CommandState.WITHDRAWN}'
    ELSE '{CommandState.SENDING}' END"""

#: The verdict is written; only commands that are about to be sent note who sends them.
_WRITE = f"""
UPDATE {_COMMANDS} AS command SET
    state = verdict,
    sending_at = CASE WHEN verdict = '{CommandState.SENDING}' THEN %(now)s ELSE command.sending_at END,
    sender = CASE WHEN verdict = '{CommandState.SENDING}' THEN %(sender)s ELSE command.sender END,
    attempts = command.attempts + CASE WHEN verdict = '{CommandState.SENDING}' THEN 1 ELSE 0 END,
    final_at = CASE WHEN verdict = '{CommandState.SENDING}' THEN NULL ELSE %(now)s END
FROM looked_at WHERE command.id = looked_at.id
RETURNING command.*
"""  # noqa: S608

_CLAIM = f"""
WITH looked_at AS (
    SELECT command.id, {_VERDICT} AS verdict {_NEXT}
    ORDER BY command.priority, command.seq LIMIT %(limit)s
    FOR UPDATE OF command SKIP LOCKED
), changed AS ({_WRITE}) {CHANGED_ROWS}
"""

_COUNT = f"SELECT count(*) FROM (SELECT {_NEXT} LIMIT %(limit)s) AS next"  # noqa: S608

#: Heads and others alike, also of robots that do not send: nothing stale waits for its turn.
_CLOSE = f"""
WITH looked_at AS (
    SELECT command.id, {_VERDICT} AS verdict
    FROM {_COMMANDS} AS command
    LEFT JOIN {_CONVERSATIONS} AS conversation ON conversation.id = command.conversation_id
    WHERE command.state = '{CommandState.QUEUED}'
      AND (command.expires_at <= %(now)s OR conversation.owner_epoch <> command.owner_epoch)
    ORDER BY command.seq LIMIT 1000
    FOR UPDATE OF command SKIP LOCKED
), changed AS ({_WRITE}) {CHANGED_ROWS}
"""  # noqa: S608


def claimable(limit: int) -> int:
    """Return how many commands could be claimed now, at most ``limit``."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, _parameters(limit=limit))
        return int(cursor.fetchone()[0])


def claim(sender: str, limit: int) -> tuple[list[Changed], int]:
    """Mark up to ``limit`` commands as being sent by ``sender``; returns them and how many were closed instead.

    Closed are those that are no longer fresh, or whose conversation has another owner by now. Runs in the caller's
    transaction, which must commit before the first call.
    """
    changed = _run(_CLAIM, _parameters(sender=sender, limit=limit))
    claimed = [command for command in changed if command.state == CommandState.SENDING]
    return claimed, len(changed) - len(claimed)


def close_overdue() -> int:
    """Close every queued command that may never leave any more; returns how many."""
    return len(_run(_CLOSE, _parameters(sender="")))


def _run(statement: str, parameters: dict[str, Any]) -> Sequence[Changed]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        changed = changed_rows(cursor.fetchall())
    announce(changed)
    return changed


def _parameters(**more: Any) -> dict[str, Any]:
    now: datetime = clock.now()
    return {"now": now, "held_since": now - HOLD_UNKNOWN, **more}
