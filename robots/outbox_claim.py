"""Which commands may leave now: one statement that claims them, others that close those which never may."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from robots.equal import NO_EQUAL, cover
from robots.models import Command, CommandState, Conversation, Message, Mode, Robot, StaleReply
from robots.models.commands import Priority, Rewording
from robots.switches import STOPPED, what_stopped
from robots.transitions import CHANGED_ROWS, Changed, announce, changed_rows
from worktool_ai.lib import clock
from worktool_ai.lib.db import prepared_cursor

__all__ = ["HOLD_UNKNOWN", "Candidate", "apologise", "candidates", "claim", "close", "close_overdue"]

#: So long an unknown command keeps later ones of its room waiting; then an operator decides about it.
HOLD_UNKNOWN = timedelta(seconds=120)

TEXT = 203
#: Clearing the phone's queue, whole or one command: done by the platform, whether the phone is online or not.
TAKING_BACK = (304, 305)
#: Put in front of a reply that comes late; after it, it may come so much later.
APOLOGY = "抱歉久等，"
APOLOGY_FRESH = timedelta(minutes=30)

_COMMANDS = Command._meta.db_table
_CONVERSATIONS = Conversation._meta.db_table
_ROBOTS = Robot._meta.db_table

#: Looks for a policy that has an apology put in front of a stale reply, which is not done yet: it is not expired.
AWAITS_APOLOGY = f"""(
    robot.stale_reply = '{StaleReply.APOLOGISE}' AND command.kind = {TEXT} AND command.priority = {Priority.REPLY.value}
    AND command.reworded <> '{Rewording.APOLOGY}')"""

#: Queued, due, of a robot that sends itself and is not known to be offline, first in its room (none before it is
#: queued, being sent or unknown), and no equal one is on the phone. What takes back passes a phone that is offline.
#: One that was answered holds nobody, even while its answer is still being written.
#: OFFSET 0 keeps the planner from joining all open commands with each other, which it does when its statistics date
#: from an empty queue: each command looks its room up in the index instead.
_NEXT = f"""
FROM {_COMMANDS} AS command
JOIN {_ROBOTS} AS robot ON robot.id = command.robot_id AND robot.is_active AND robot.mode = '{Mode.AUTOMATIC}'
LEFT JOIN {_CONVERSATIONS} AS conversation ON conversation.id = command.conversation_id
WHERE command.state = '{CommandState.QUEUED}'
  AND (command.not_before IS NULL OR command.not_before <= %(now)s)
  AND (robot.is_online IS NOT FALSE OR command.kind IN {TAKING_BACK})
  AND NOT (command.expires_at <= %(now)s AND {AWAITS_APOLOGY})
  AND NOT EXISTS (
    SELECT FROM {_COMMANDS} AS earlier
    WHERE earlier.robot_id = command.robot_id AND earlier.target = command.target AND earlier.seq < command.seq
      AND earlier.state IN ('{CommandState.QUEUED}', '{CommandState.SENDING}', '{CommandState.UNKNOWN}')
      AND (earlier.state <> '{CommandState.UNKNOWN}' OR earlier.sending_at > %(held_since)s)
      AND earlier.id <> ALL(%(answered)s::uuid[])
    OFFSET 0)
  AND (command.kind IN {TAKING_BACK} OR {NO_EQUAL})
"""

#: What becomes of a queued command that is looked at now.
_VERDICT = f"""CASE
    WHEN {STOPPED} THEN '{CommandState.WITHDRAWN}'
    WHEN conversation.owner_epoch <> command.owner_epoch THEN '{CommandState.WITHDRAWN}'
    WHEN command.expires_at <= %(now)s THEN '{CommandState.EXPIRED}'
    ELSE '{CommandState.SENDING}' END"""

#: The verdict is written; only commands that are about to be sent note who sends them.
_WRITE = f"""
UPDATE {_COMMANDS} AS command SET
    state = verdict,
    sending_at = CASE WHEN verdict = '{CommandState.SENDING}' THEN %(now)s ELSE command.sending_at END,
    sender = CASE WHEN verdict = '{CommandState.SENDING}' THEN %(sender)s ELSE command.sender END,
    attempts = command.attempts + CASE WHEN verdict = '{CommandState.SENDING}' THEN 1 ELSE 0 END,
    final_at = CASE WHEN verdict = '{CommandState.SENDING}' THEN NULL ELSE %(now)s END,
    error_reason = CASE WHEN verdict = '{CommandState.WITHDRAWN}' AND {STOPPED} THEN %(stopped)s
                        ELSE command.error_reason END
FROM looked_at WHERE command.id = looked_at.id
RETURNING command.*
"""  # noqa: S608

_LOOK = f"""
SELECT command.id, {_VERDICT} AS verdict {_NEXT}
  AND command.id = ANY(%(ids)s)
FOR UPDATE OF command SKIP LOCKED
"""

#: Everything is asked once more: others may have been here since the candidates were read.
_CLAIM = f"""
WITH next AS ({_LOOK}), looked_at AS (SELECT id, verdict FROM next WHERE verdict = '{CommandState.SENDING}'),
changed AS ({_WRITE}) {CHANGED_ROWS}
"""  # noqa: S608 - constants of ours only

_CLOSE_THESE = f"""
WITH next AS ({_LOOK}), looked_at AS (SELECT id, verdict FROM next WHERE verdict <> '{CommandState.SENDING}'),
changed AS ({_WRITE}) {CHANGED_ROWS}
"""  # noqa: S608

_CANDIDATES = f"""
SELECT command.id, command.robot_id, robot.requests_per_minute, command.kind, command.priority, command.attempts,
       command.fingerprint, {_VERDICT},
       (SELECT count(*) FROM (SELECT FROM {_COMMANDS} WHERE state = '{CommandState.QUEUED}' LIMIT %(limit)s + 1) AS q)
{_NEXT}
ORDER BY command.priority, command.seq LIMIT %(limit)s
"""  # noqa: S608

#: Heads and others alike, also of robots that do not send: nothing stale waits for its turn.
_CLOSE = f"""
WITH looked_at AS (
    SELECT command.id, {_VERDICT} AS verdict
    FROM {_COMMANDS} AS command
    JOIN {_ROBOTS} AS robot ON robot.id = command.robot_id
    LEFT JOIN {_CONVERSATIONS} AS conversation ON conversation.id = command.conversation_id
    WHERE command.state = '{CommandState.QUEUED}'
      AND (command.expires_at <= %(now)s AND NOT {AWAITS_APOLOGY}
           OR conversation.owner_epoch <> command.owner_epoch OR {STOPPED})
    ORDER BY command.seq LIMIT 1000
    FOR UPDATE OF command SKIP LOCKED
), changed AS ({_WRITE}) {CHANGED_ROWS}
"""  # noqa: S608


_APOLOGISE = f"""
WITH changed AS (
    UPDATE {_COMMANDS} AS command SET
        text = %(words)s || command.text,
        payload = jsonb_set(command.payload, '{{receivedContent}}',
                            to_jsonb(%(words)s || (command.payload->>'receivedContent'))),
        reworded = '{Rewording.APOLOGY}', expires_at = command.expires_at + %(longer)s
    FROM {_ROBOTS} AS robot
    WHERE command.state = '{CommandState.QUEUED}' AND command.expires_at <= %(now)s
      AND robot.id = command.robot_id AND {AWAITS_APOLOGY}
    RETURNING command.message_id, command.text
)
UPDATE {Message._meta.db_table} AS line SET text = changed.text FROM changed WHERE line.id = changed.message_id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Candidate:
    """A command that could be claimed now: to be sent, or (``verdict``) to be closed instead.

    ``queued`` is the same in all of a look: what is queued at all, these included, counted up to one more than were
    asked for.
    """

    id: UUID
    robot_id: UUID
    robot_limit: int | None
    kind: int
    priority: int
    attempts: int
    fingerprint: str
    verdict: str
    queued: int

    @property
    def is_control(self) -> bool:
        """Whether the reserve of the request limit is for it."""
        return self.priority == Priority.ALERT

    @property
    def is_to_be_sent(self) -> bool:
        return self.verdict == CommandState.SENDING


def candidates(limit: int, answered: Collection[UUID] = ()) -> list[Candidate]:
    """Return the first ``limit`` commands that could be claimed now: alert, human, reply, bulk, then by age.

    No two of them are equal. ``answered`` are being sent as far as the database knows, but the platform has answered.
    """
    with prepared_cursor() as cursor:
        cursor.execute(_CANDIDATES, _parameters(limit=limit, answered=list(answered)))
        found = [Candidate(*row) for row in cursor.fetchall()]
    return list({(one.robot_id, one.fingerprint): one for one in reversed(found)}.values())[::-1]


def claim(sender: str, ids: Collection[UUID], answered: Collection[UUID] = ()) -> list[Changed]:
    """Mark these candidates as being sent by ``sender``, as far as they still may leave; returns what has changed.

    One statement: outside of a transaction it is committed when it returns, as it must be before the first call.
    """
    with prepared_cursor() as cursor:
        cursor.execute(_CLAIM, _parameters(sender=sender, ids=list(ids), answered=list(answered)))
        return changed_rows(cursor.fetchall())


def close(ids: Collection[UUID]) -> list[Changed]:
    """Close these candidates, which are no longer fresh, or whose conversation has another owner by now, or which a
    stop is about; returns what has changed. Runs in the caller's transaction.
    """
    return list(_run(_CLOSE_THESE, _parameters(sender="", ids=list(ids))))


def close_overdue() -> int:
    """Close every queued command that may never leave any more; returns how many."""
    return cover() + len(_run(_CLOSE, _parameters(sender="")))


def apologise() -> None:
    """Put an apology in front of stale replies, where their robot has that policy; they are fresh for once more."""
    with prepared_cursor() as cursor:
        cursor.execute(_APOLOGISE, _parameters(words=APOLOGY, longer=APOLOGY_FRESH))


def _run(statement: str, parameters: dict[str, Any]) -> Sequence[Changed]:
    with prepared_cursor() as cursor:
        cursor.execute(statement, parameters)
        changed = changed_rows(cursor.fetchall())
    announce(changed)
    return changed


def _parameters(**more: Any) -> dict[str, Any]:
    now: datetime = clock.now()
    return {"now": now, "held_since": now - HOLD_UNKNOWN, "stopped": what_stopped(), "answered": [], **more}
