"""Grouped writes of the engine: one statement for many rows, through the cursor of the engine's own transaction.

For callers that write hundreds of rows a second (reference/worker.md); everything else uses the models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from robots.models import Command, CommandState, Direction, Message, Mode, Robot
from robots.models.commands import Priority
from worktool_ai.lib import bulk
from worktool_ai.lib.bulk import Part

__all__ = ["NewCommand", "Settlement", "commands_part", "insert_commands", "settle_messages", "settled_part"]

TEXT = 203


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommand:
    """A command to be queued. ``id`` (a UUIDv7) is our sendId; the same id again changes nothing.

    ``variants`` are other texts that say the same, used when the phone would swallow an equal one (robots.equal).
    With a room and a conversation the line is also shown there: an outbound message under the same id, of the
    platform's content type ``text_type``.
    """

    id: UUID
    robot_id: UUID
    room_id: UUID | None = None
    conversation_id: UUID | None = None
    run_id: UUID | None = None
    node_id: str = ""
    kind: int = TEXT
    target: str
    text: str
    payload: dict[str, Any]
    priority: int = Priority.REPLY
    owner_epoch: int | None = None
    expires_at: datetime | None = None
    created_at: datetime
    draft: bool = False
    variants: Sequence[str] = ()
    text_type: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a customer's line. An empty ``reason`` notes the other fields and leaves the line open.

    ``picture_text`` is what a model has seen on the line's picture.
    """

    message_id: UUID
    reason: str
    run_id: UUID | None = None
    intent: str | None = None
    intent_confidence: float | None = None
    topic: str | None = None
    picture_text: str | None = None


_COMMANDS = f"""
commands_input AS (
    SELECT * FROM jsonb_to_recordset(%(commands)s::jsonb) AS row (
        id uuid, robot_id uuid, room_id uuid, conversation_id uuid, run_id uuid, node_id text, kind int, target text,
        text text, payload jsonb, priority int, owner_epoch int, expires_at timestamptz, created_at timestamptz,
        draft boolean, variants jsonb, text_type int)
), commands_fresh AS (
    SELECT input.*, robot.name AS robot_name, input.draft OR robot.mode <> '{Mode.AUTOMATIC}' AS is_draft,
           input.room_id IS NOT NULL AND input.conversation_id IS NOT NULL AS is_shown
    FROM commands_input AS input
    JOIN {Robot._meta.db_table} AS robot ON robot.id = input.robot_id
    WHERE NOT EXISTS (SELECT FROM {Command._meta.db_table} AS known WHERE known.id = input.id)
), commands_shown AS (
    INSERT INTO {Message._meta.db_table} (
        id, robot_id, room_id, conversation_id, direction, sender_name, text, raw_text, text_type, at_me, platform_id,
        received_at, stored_at, is_backfill, intent, topic, reason, run_id, extra)
    SELECT id, robot_id, room_id, conversation_id, '{Direction.OUT}', robot_name, text, '', text_type, false, '',
           created_at, clock_timestamp(), false, '', '', '', run_id, '{{}}'::jsonb
    FROM commands_fresh WHERE is_shown
    ON CONFLICT (id) DO NOTHING
), commands AS (
    INSERT INTO {Command._meta.db_table} (
        id, robot_id, room_id, conversation_id, message_id, run_id, node_id, kind, target, text, payload, priority,
        state, owner_epoch, platform_id, attempts, expires_at, created_at, sender, error_reason, evidence, variants)
    SELECT id, robot_id, room_id, conversation_id, CASE WHEN is_shown THEN id END, run_id, node_id, kind, target, text,
           payload, priority, CASE WHEN is_draft THEN '{CommandState.DRAFT}' ELSE '{CommandState.QUEUED}' END,
           owner_epoch, '', 0, expires_at, created_at, '', '', '[]'::jsonb, coalesce(variants, '[]'::jsonb)
    FROM commands_fresh ORDER BY created_at, id
    ON CONFLICT (id) DO NOTHING
)
"""  # noqa: S608 - table names and constants of ours only

_SETTLED = f"""
settled AS (
    UPDATE {Message._meta.db_table} AS line SET
        reason = CASE WHEN input.reason <> '' THEN input.reason ELSE line.reason END,
        settled_at = CASE WHEN input.reason <> '' THEN clock_timestamp() ELSE line.settled_at END,
        run_id = coalesce(input.run_id, line.run_id),
        intent = coalesce(input.intent, line.intent),
        intent_confidence = coalesce(input.intent_confidence, line.intent_confidence),
        topic = coalesce(input.topic, line.topic),
        picture_text = coalesce(input.picture_text, line.picture_text)
    FROM jsonb_to_recordset(%(settled)s::jsonb) AS input (
        message_id uuid, reason text, run_id uuid, intent text, intent_confidence float8, topic text,
        picture_text text)
    WHERE line.id = input.message_id AND (line.settled_at IS NULL OR line.run_id = input.run_id)
)
"""  # noqa: S608


def commands_part(rows: Sequence[NewCommand]) -> Part:
    """Return what queues commands, in order, with the lines that they say; a robot that is not automatic gets drafts.

    Ring :func:`robots.tasks.ring_outbox` after the commit.
    """
    return Part("commands", _COMMANDS, rows)


def settled_part(rows: Sequence[Settlement]) -> Part:
    """Return what notes what became of lines. A settled line changes only by the run that settled it."""
    return Part("settled", _SETTLED, rows)


def insert_commands(cursor: Any, rows: Sequence[NewCommand]) -> None:
    """Queue commands (:func:`commands_part`)."""
    bulk.execute(cursor, [commands_part(rows)])


def settle_messages(cursor: Any, rows: Sequence[Settlement]) -> None:
    """Note what became of lines (:func:`settled_part`)."""
    bulk.execute(cursor, [settled_part(rows)])
