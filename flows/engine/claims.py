"""Claiming conversations: who may advance one, until when, under which epoch.

One transaction takes due conversations (SKIP LOCKED), raises each epoch, sets the lease, and reads each one's head run
with what a walk needs. A claim whose head run is gone (ended by hand, say) or not due yet (lines are still being merged
into it) is given back.

A run that is found active was interrupted: its worker died. That counts as a recovery. A worker that lives hands a run
back as queued (:mod:`flows.engine.interruptions`) and says itself what counts.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings

from flows.content import in_words
from flows.engine import leases
from flows.engine.interpreter import EffectKey, StepRecord
from flows.nodes import HistoryLine
from worktool_ai.lib.clock import now
from worktool_ai.lib.db import borrowed, prepared_cursor, tx
from worktool_ai.lib.json_rows import decode

__all__ = [
    "Claim",
    "HeadRun",
    "claim",
    "claim_heads",
    "due_count",
    "give_back_idle",
    "head_runs",
    "holder",
    "release_idle",
    "renew",
]

HISTORY_LINES = 20

_CLAIM = """
UPDATE flows_conversationlease AS lease
   SET epoch = lease.epoch + 1, until = %(until)s, holder = %(holder)s
  FROM (SELECT conversation_id FROM flows_conversationlease
         WHERE due_at <= %(now)s AND (until IS NULL OR until < %(now)s)
         ORDER BY due_at LIMIT %(count)s FOR UPDATE SKIP LOCKED) AS due
 WHERE lease.conversation_id = due.conversation_id
RETURNING lease.conversation_id, lease.epoch
"""

#: A line that came before its conversation changed hands is not the robot's to answer any more: its run sees a
#: colleague as the owner, and what it queues carries an epoch that is over.
_HEADS = """
WITH head AS (
    SELECT DISTINCT ON (run.conversation_id) run.id
      FROM flows_run AS run
     WHERE run.conversation_id = ANY(%(conversations)s) AND run.state IN ('queued', 'active')
     ORDER BY run.conversation_id, run.state = 'active' DESC, run.seq
), started AS (
    UPDATE flows_run AS run
       SET recoveries = run.recoveries + (run.state = 'active')::int,
           state = 'active',
           started_at = coalesce(run.started_at, %(now)s)
      FROM head WHERE run.id = head.id AND (run.flush_at IS NULL OR run.flush_at <= %(now)s)
    RETURNING run.*
)
SELECT head.id, head.conversation_id, head.message_id, head.version_id, head.input, head.recoveries, head.started_at,
       conversation.robot_id, conversation.room_id,
       CASE WHEN conversation.owner_since > message.received_at THEN 'human' ELSE conversation.owner END,
       conversation.owner_epoch - coalesce((conversation.owner_since > message.received_at)::int, 0),
       message.received_at,
       (SELECT jsonb_agg(jsonb_build_array(step.ordinal, step.node_id, step.node_type, step.port, step.patch,
                                           step.detail, step.error, step.started_at, step.ended_at)
                         ORDER BY step.ordinal)
          FROM flows_step AS step WHERE step.run_id = head.id),
       (SELECT jsonb_agg(jsonb_build_array(effect.node_id, effect.ordinal, effect.kind, effect.outcome,
                                           CASE WHEN effect.kind = 'retry' THEN effect.intent END))
          FROM flows_effect AS effect WHERE effect.run_id = head.id),
       (SELECT jsonb_agg(jsonb_build_array(line.direction, line.text, line.picture_text) ORDER BY line.id)
          FROM (SELECT earlier.id, earlier.direction, earlier.text, earlier.picture_text FROM robots_message AS earlier
                 WHERE earlier.conversation_id = head.conversation_id AND earlier.id < head.message_id
                   AND earlier.reason <> 'duplicate' AND (earlier.text <> '' OR earlier.picture_text <> '')
                   AND NOT (earlier.reason = 'merged' AND earlier.run_id = head.id)
                 ORDER BY earlier.id DESC LIMIT %(history)s) AS line),
       (SELECT min(contact.remark) FROM robots_room AS contact
         WHERE contact.robot_id = conversation.robot_id AND NOT contact.is_group AND contact.remark <> ''
           AND contact.name = conversation.sender_name
        HAVING count(*) = 1),
       head.error
  FROM started AS head
  JOIN robots_conversation AS conversation ON conversation.id = head.conversation_id
  JOIN robots_message AS message ON message.id = head.message_id
"""

#: Never waits: a row that is locked is being written by its own walk, and waiting for many rows in no order would
#: deadlock with the fence of a commit. What is skipped has its turn two more times before its lease ends.
_RENEW = """
WITH held AS (
    SELECT conversation_id FROM flows_conversationlease
     WHERE holder = %(holder)s AND conversation_id = ANY(%(conversations)s)
       FOR UPDATE SKIP LOCKED
)
UPDATE flows_conversationlease AS lease SET until = %(until)s
  FROM held WHERE lease.conversation_id = held.conversation_id
"""

_process = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def holder() -> str:
    """Return this process's name as it stands in leases and on commands."""
    return _process


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to advance one conversation, as long as nobody has raised its epoch since."""

    conversation_id: UUID
    epoch: int


@dataclass(frozen=True, slots=True)
class HeadRun:
    """The run that is to be advanced, with everything that a walk needs."""

    claim: Claim
    run_id: UUID
    message_id: UUID
    version_id: UUID
    input: dict[str, Any]
    recoveries: int
    started_at: Any
    robot_id: UUID
    room_id: UUID
    owner: str
    owner_epoch: int
    received_at: Any
    steps: tuple[StepRecord, ...]
    outcomes: dict[EffectKey, dict[str, Any]]
    intents: dict[EffectKey, str]
    history: tuple[HistoryLine, ...]
    private_address: str | None
    #: intents of repetitions that are still waited for (``RetryAt``)
    retries: dict[EffectKey, dict[str, Any]] = field(default_factory=dict)
    #: what the walk before this one failed with
    error: str = ""


def claim(count: int) -> list[Claim]:
    """Take up to ``count`` due conversations for this process."""
    with tx(), prepared_cursor() as cursor:
        return _claim(cursor, count)


def claim_heads(cursor: Any, count: int) -> tuple[list[Claim], list[HeadRun]]:
    """Take up to ``count`` due conversations and their head runs, in the caller's transaction.

    Conversations that turn out to have nothing to do are among the claims all the same: :func:`give_back_idle`.
    """
    claims = _claim(cursor, count)
    rows = _activate(cursor, [item.conversation_id for item in claims]) if claims else []
    return claims, _found(claims, rows)


def head_runs(claims: Sequence[Claim]) -> list[HeadRun]:
    """Mark each claimed conversation's head run active and read it. A run found active was interrupted before."""
    if not claims:
        return []
    with tx(), prepared_cursor() as cursor:
        found = _found(claims, _activate(cursor, _lock(cursor, claims)))
    give_back_idle(claims, found)
    return found


def _claim(cursor: Any, count: int) -> list[Claim]:
    cursor.execute(_CLAIM, {"now": now(), "until": _lease_end(), "holder": holder(), "count": count})
    return [Claim(*row) for row in cursor.fetchall()]


def _activate(cursor: Any, conversations: Sequence[UUID]) -> list[Any]:
    """Mark the head runs of conversations whose leases are locked, and read them."""
    cursor.execute(_HEADS, {"conversations": list(conversations), "now": now(), "history": HISTORY_LINES})
    return list(cursor.fetchall())


def _found(claims: Sequence[Claim], rows: Sequence[Any]) -> list[HeadRun]:
    by_conversation = {item.conversation_id: item for item in claims}
    return [_head_run(by_conversation[row[1]], row) for row in rows]


def give_back_idle(claims: Sequence[Claim], heads: Sequence[HeadRun]) -> None:
    """Give back those claimed conversations that turned out to have no run to be walked now."""
    idle = set(claims) - {head.claim for head in heads}
    if idle:
        release_idle(sorted(idle, key=lambda item: item.conversation_id))


def release_idle(claims: Sequence[Claim]) -> None:
    """Give back leases of conversations that turned out to have nothing to do now, and set their counters right."""
    with tx(), prepared_cursor() as cursor:
        leases.release(cursor, _lock(cursor, claims), now())


def _lock(cursor: Any, claims: Sequence[Claim]) -> list[UUID]:
    return leases.lock_held(cursor, [item.conversation_id for item in claims], [item.epoch for item in claims])


def renew(conversations: Sequence[UUID]) -> None:
    """Keep this process's leases for another lease length."""
    with tx(), prepared_cursor() as cursor:
        cursor.execute(_RENEW, {"until": _lease_end(), "holder": holder(), "conversations": list(conversations)})


def due_count(limit: int) -> int:
    """Count conversations that want a worker now, up to ``limit``."""
    with borrowed(), prepared_cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM flows_conversationlease"
            " WHERE due_at <= %(now)s AND (until IS NULL OR until < %(now)s) LIMIT %(limit)s) AS due",
            {"now": now(), "limit": limit},
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _lease_end() -> Any:
    return now() + timedelta(seconds=settings.LEASE_S)


def _head_run(found: Claim, row: Sequence[Any]) -> HeadRun:
    effects = [
        (EffectKey(node_id, ordinal), kind, outcome, retry)
        for node_id, ordinal, kind, outcome, retry in decode(row[13]) or ()
    ]
    return HeadRun(
        claim=found,
        run_id=row[0],
        message_id=row[2],
        version_id=row[3],
        input=decode(row[4]),
        recoveries=row[5],
        started_at=row[6],
        robot_id=row[7],
        room_id=row[8],
        owner=row[9],
        owner_epoch=row[10],
        received_at=row[11],
        steps=tuple(_step(item) for item in decode(row[12]) or ()),
        outcomes={key: outcome for key, _kind, outcome, _retry in effects if outcome is not None},
        intents={key: kind for key, kind, outcome, _retry in effects if outcome is None},
        retries={key: retry for key, _kind, outcome, retry in effects if outcome is None and retry is not None},
        history=tuple(
            HistoryLine("user" if direction == "in" else "assistant", in_words(text, picture))
            for direction, text, picture in decode(row[14]) or ()
        ),
        private_address=row[15],
        error=row[16],
    )


def _step(item: Sequence[Any]) -> StepRecord:
    ordinal, node_id, node_type, port, patch, detail, error, started_at, ended_at = item
    return StepRecord(
        ordinal=ordinal,
        node_id=node_id,
        node_type=node_type,
        port=port,
        patch=patch,
        started_at=datetime.fromisoformat(started_at),
        ended_at=datetime.fromisoformat(ended_at),
        detail=detail,
        error=error,
    )
