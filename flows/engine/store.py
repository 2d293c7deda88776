"""Writing what a walk has done: rows of runs that move together in one transaction, fenced by each one's epoch.

The fence comes first: it locks the leases of all runs in the group (in one order, so that two groups cannot deadlock)
and keeps those whose epoch still holds. Whoever lost its lease writes nothing at all and learns it from the result.

Fence and rows are one statement, whatever the size of the group: round trips are what a small group costs. It is taken
back and said again without those who lost their lease; that is rare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from flows.engine.claims import Claim
from flows.engine.interpreter import EffectKey, StepRecord
from flows.engine.withdrawals import withdraw_queued
from personas import hotpath as persona_rows
from personas.types import AICallRecord
from robots import hotpath as robot_rows
from robots.hotpath import NewCommand, Settlement
from worktool_ai.events import services as events
from worktool_ai.events.types import Event
from worktool_ai.lib import bulk
from worktool_ai.lib.bulk import Part
from worktool_ai.lib.clock import now
from worktool_ai.lib.db import prepared_cursor, tx
from worktool_ai.lib.failpoints import reach
from worktool_ai.lib.ids import uuid7

__all__ = ["EffectRow", "Progress", "WaitRow", "write", "write_with", "write_within"]

_FENCE = """
wanted AS (
    SELECT * FROM jsonb_to_recordset(%(fence)s::jsonb)
        AS wanted(conversation_id uuid, epoch bigint, leaves boolean, until timestamptz)
), locked AS (
    SELECT lease.conversation_id, wanted.leaves, wanted.until
      FROM flows_conversationlease AS lease JOIN wanted USING (conversation_id, epoch)
     ORDER BY lease.conversation_id FOR UPDATE OF lease
), fence AS (
    UPDATE flows_conversationlease AS lease
       SET queued = greatest(lease.queued - locked.leaves::int, 0),
           due_at = CASE WHEN locked.leaves AND lease.queued <= 1 THEN NULL ELSE lease.due_at END,
           until = CASE WHEN locked.leaves AND lease.queued <= 1 THEN NULL ELSE locked.until END,
           holder = CASE WHEN locked.leaves AND lease.queued <= 1 THEN '' ELSE lease.holder END
      FROM locked WHERE lease.conversation_id = locked.conversation_id
    RETURNING lease.conversation_id, lease.epoch, lease.queued
)
"""

_HELD = "SELECT conversation_id, epoch, queued FROM fence"

_RUNS = """
runs AS (
    UPDATE flows_run AS run
       SET state = wanted.state, outcome = wanted.outcome, reason = wanted.reason,
           edges = coalesce(wanted.edges, run.edges),
           error = wanted.error, ended_at = wanted.ended_at
      FROM jsonb_to_recordset(%(runs)s::jsonb)
        AS wanted(id uuid, state text, outcome text, reason text, edges jsonb, error text, ended_at timestamptz)
     WHERE run.id = wanted.id
)
"""

_STEPS = """
steps AS (
    INSERT INTO flows_step (id, run_id, ordinal, node_id, node_type, state, port, patch, detail, logs, error,
                            started_at, ended_at)
    SELECT * FROM jsonb_to_recordset(%(steps)s::jsonb)
        AS row(id uuid, run_id uuid, ordinal smallint, node_id text, node_type text, state text, port text, patch jsonb,
               detail jsonb, logs jsonb, error text, started_at timestamptz, ended_at timestamptz)
)
"""

_EFFECTS = """
effects AS (
    INSERT INTO flows_effect (id, run_id, node_id, ordinal, kind, intent, outcome, created_at, done_at)
    SELECT * FROM jsonb_to_recordset(%(effects)s::jsonb)
        AS row(id uuid, run_id uuid, node_id text, ordinal smallint, kind text, intent jsonb, outcome jsonb,
               created_at timestamptz, done_at timestamptz)
    ON CONFLICT (run_id, node_id, ordinal)
       DO UPDATE SET outcome = excluded.outcome, done_at = excluded.done_at WHERE flows_effect.outcome IS NULL
)
"""

_WAITS = """
waits AS (
    INSERT INTO flows_wait (id, run_id, conversation_id, node_id, ordinal, key, state, due_at, created_at)
    SELECT id, run_id, conversation_id, node_id, ordinal, key, 'open', due_at, created_at
      FROM jsonb_to_recordset(%(waits)s::jsonb)
        AS row(id uuid, run_id uuid, conversation_id uuid, node_id text, ordinal smallint, key uuid,
               due_at timestamptz, created_at timestamptz)
    ON CONFLICT DO NOTHING
)
"""


@dataclass(frozen=True, slots=True)
class EffectRow:
    """An effect's intent, with its outcome once there is one."""

    key: EffectKey
    kind: str
    intent: dict[str, Any]
    outcome: dict[str, Any] | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class WaitRow:
    """A durable wait for a command (``command_id``) or a moment."""

    key: EffectKey
    command_id: UUID | None
    due_at: datetime


@dataclass(slots=True)
class Progress:
    """What one walk has done since its last commit. ``state`` other than active means that it leaves the worker.

    ``edges`` None leaves what is stored. ``withdraws``: what the run has queued and nobody has sent yet is withdrawn.
    """

    claim: Claim
    run_id: UUID
    state: str = "active"
    outcome: str = ""
    reason: str = ""
    error: str = ""
    edges: dict[str, str] | None = None
    ended_at: datetime | None = None
    steps: list[StepRecord] = field(default_factory=list)
    effects: list[EffectRow] = field(default_factory=list)
    waits: list[WaitRow] = field(default_factory=list)
    ai_calls: list[AICallRecord] = field(default_factory=list)
    commands: list[NewCommand] = field(default_factory=list)
    settlement: Settlement | None = None
    withdraws: bool = False
    events: list[Event] = field(default_factory=list)

    @property
    def leaves(self) -> bool:
        return self.state != "active"


def write(group: Sequence[Progress]) -> dict[Claim, int]:
    """Write a group in one transaction; returns ``{claim: runs still queued}`` of those whose fence held."""
    reach("engine.before_commit")
    wanted, held = list(group), _write(group)
    while held is None:
        wanted = _fenced(wanted)
        held = _write(wanted)
    reach("engine.after_commit")
    return held


def write_within(cursor: Any, group: Sequence[Progress]) -> dict[Claim, int]:
    """Write a group in the caller's transaction, whose leases it has locked; returns as :func:`write` does.

    Everything is written whether or not all fences held: where one may have fallen the caller compares, and rolls back.
    """
    if not group:
        return {}
    bulk.execute(cursor, [_fence_part(group), *_parts(group)], _HELD)
    held = _held(cursor)
    failed = [item.run_id for item in group if item.withdraws]
    if failed:
        withdraw_queued(failed)
    return held


def _write(group: Sequence[Progress]) -> dict[Claim, int] | None:
    """Write all of a group, or nothing and return None where one of it has lost its lease."""
    try:
        with tx(), prepared_cursor() as cursor:
            held = write_within(cursor, group)
            if len(held) == len(group):
                return held
            transaction.set_rollback(True)
    except IntegrityError:  # whoever took a run over has written some of the same steps
        if len(_fenced(group)) == len(group):
            raise
    return None


def _fenced(group: Sequence[Progress]) -> list[Progress]:
    """Return those of a group whose fence holds now."""
    with tx(), prepared_cursor() as cursor:
        held = _fence(cursor, group)
        transaction.set_rollback(True)
    return [item for item in group if item.claim in held]


def write_with(progress: Progress, perform: Callable[[], list[EffectRow]]) -> int | None:
    """Write a walk's rows and perform a database effect in the same transaction (raising an alert, say).

    The effect happens exactly when its outcome is stored. Returns how many runs of the conversation are still queued,
    or None, having done nothing, if the fence fell.
    """
    with tx(), prepared_cursor() as cursor:
        queued = _fence(cursor, [progress]).get(progress.claim)
        if queued is None:
            return None
        progress.effects.extend(perform())
        bulk.execute(cursor, _parts([progress]))
        if progress.withdraws:
            withdraw_queued([progress.run_id])
    return queued


def _fence(cursor: Any, group: Sequence[Progress]) -> dict[Claim, int]:
    bulk.execute(cursor, [_fence_part(group)], _HELD)
    return _held(cursor)


def _held(cursor: Any) -> dict[Claim, int]:
    return {Claim(conversation_id, epoch): queued for conversation_id, epoch, queued in cursor.fetchall()}


def _fence_part(group: Sequence[Progress]) -> Part:
    until = now() + timedelta(seconds=settings.LEASE_S)
    rows = [
        {
            "conversation_id": item.claim.conversation_id,
            "epoch": item.claim.epoch,
            "leaves": item.leaves,
            "until": until,
        }
        for item in group
    ]
    return Part("fence", _FENCE, rows)


def _parts(group: Sequence[Progress]) -> list[Part]:
    return [
        Part("runs", _RUNS, [_run_row(item) for item in group]),
        Part("steps", _STEPS, [_step_row(item.run_id, step) for item in group for step in item.steps]),
        Part("effects", _EFFECTS, [_effect_row(item.run_id, effect) for item in group for effect in item.effects]),
        robot_rows.commands_part([command for item in group for command in item.commands]),
        Part("waits", _WAITS, [_wait_row(item, wait) for item in group for wait in item.waits]),
        persona_rows.ai_calls_part([call for item in group for call in item.ai_calls]),
        robot_rows.settled_part([item.settlement for item in group if item.settlement is not None]),
        events.part([event for item in group for event in item.events]),
    ]


def _run_row(item: Progress) -> dict[str, Any]:
    return {
        "id": item.run_id,
        "state": item.state,
        "outcome": item.outcome,
        "reason": item.reason,
        "edges": item.edges,
        "error": item.error,
        "ended_at": item.ended_at,
    }


def _step_row(run_id: UUID, step: StepRecord) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "run_id": run_id,
        "ordinal": step.ordinal,
        "node_id": step.node_id,
        "node_type": step.node_type,
        "state": "failed" if step.error else "done",
        "port": step.port,
        "patch": step.patch,
        "detail": step.detail,
        "logs": step.logs,
        "error": step.error,
        "started_at": step.started_at,
        "ended_at": step.ended_at,
    }


def _effect_row(run_id: UUID, effect: EffectRow) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "run_id": run_id,
        "node_id": effect.key.node_id,
        "ordinal": effect.key.ordinal,
        "kind": effect.kind,
        "intent": effect.intent,
        "outcome": effect.outcome,
        "created_at": effect.created_at,
        "done_at": None if effect.outcome is None else now(),
    }


def _wait_row(item: Progress, wait: WaitRow) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "run_id": item.run_id,
        "conversation_id": item.claim.conversation_id,
        "node_id": wait.key.node_id,
        "ordinal": wait.key.ordinal,
        "key": wait.command_id,
        "due_at": wait.due_at,
        "created_at": now(),
    }
