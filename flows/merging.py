"""Lines of one person in one room that are answered together. Off unless the robot has a merging window.

A line joins the newest run of its conversation that has never been walked: its input grows by the line, its message
becomes this line, and the lines before it are settled as ``merged``. It may start at
``flush_at = min(now + window, first line + limit)``. A conversation is one person in one room, so nothing is ever
merged across people. Everything here is rows: nothing is forgotten by a restart.

The caller holds the leases: no worker can take a run while a line joins it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flows.content import READABLE
from flows.context import StandardContext
from robots import hotpath as robot_rows
from robots.caches import RobotSnapshot
from robots.hotpath import Settlement
from worktool_ai.lib.ids import uuid7
from worktool_ai.lib.json_rows import decode, encode

__all__ = ["MAX_CHARS", "PlannedRun", "joinable", "plan", "write_joined"]

#: A run whose lines are longer than this together takes no further one.
MAX_CHARS = 4000

_JOINABLE = """
SELECT DISTINCT ON (conversation_id) id, conversation_id, message_id, input, created_at
  FROM flows_run
 WHERE conversation_id = ANY(%s) AND state = 'queued' AND started_at IS NULL AND origin_run_id IS NULL
 ORDER BY conversation_id, seq DESC
"""

_JOINED = """
UPDATE flows_run AS run SET message_id = joined.message_id, input = joined.input, flush_at = joined.flush_at
  FROM jsonb_to_recordset(%s::jsonb) AS joined(id uuid, message_id uuid, input jsonb, flush_at timestamptz)
 WHERE run.id = joined.id AND run.state = 'queued' AND run.started_at IS NULL
"""


@dataclass(slots=True)
class PlannedRun:
    """A run that is to be queued, or (``is_new`` false) one that is queued and grows."""

    id: UUID
    conversation_id: UUID
    message_id: UUID
    context: StandardContext
    first_at: datetime
    flush_at: datetime | None = None
    is_new: bool = True
    merged: list[UUID] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "conversation_id": self.conversation_id,
            "message_id": self.message_id,
            "input": self.context.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
            "flush_at": self.flush_at,
        }


def joinable(cursor: Any, conversations: Iterable[UUID]) -> dict[UUID, PlannedRun]:
    """Return the run that a line would join, by conversation."""
    cursor.execute(_JOINABLE, [list(conversations)])
    found = {}
    for run_id, conversation_id, message_id, stored, created_at in cursor.fetchall():
        context = StandardContext.model_validate(decode(stored))
        found[conversation_id] = PlannedRun(run_id, conversation_id, message_id, context, created_at, is_new=False)
    return found


def plan(
    lines: Sequence[tuple[StandardContext, RobotSnapshot]], known: Mapping[UUID, PlannedRun], now: datetime
) -> list[PlannedRun]:
    """Return the runs that are to be queued or grow, in the order of the lines' arrival."""
    latest = dict(known)
    runs: dict[UUID, PlannedRun] = {}
    for context, robot in lines:
        conversation = UUID(context.session_id)
        run = latest.get(conversation) if robot.merge_window_s else None
        if run is None or not _join(run, context):
            run = latest[conversation] = PlannedRun(uuid7(), conversation, UUID(context.message_id), context, now)
        run.flush_at = _flush_at(run, robot, now)
        runs[run.id] = run
    return list(runs.values())


def write_joined(cursor: Any, runs: Sequence[PlannedRun]) -> None:
    """Write the runs that have grown, and settle the lines that another one of their run follows."""
    grown = [run.row() for run in runs if not run.is_new]
    if grown:
        cursor.execute(_JOINED, [encode(grown)])
    settled = [
        Settlement(message_id=message_id, reason="merged", run_id=run.id) for run in runs for message_id in run.merged
    ]
    robot_rows.settle_messages(cursor, settled)


def _flush_at(run: PlannedRun, robot: RobotSnapshot, now: datetime) -> datetime | None:
    if not robot.merge_window_s:
        return None
    limit = max(robot.merge_limit_s, robot.merge_window_s)
    return min(now + timedelta(seconds=robot.merge_window_s), run.first_at + timedelta(seconds=limit))


def _join(run: PlannedRun, line: StandardContext) -> bool:
    """Take a line into a run; false (and nothing done) when the run is full. Freshness counts from the newest line."""
    before = run.context
    text = _joined(before.original_message, line.original_message)
    if len(text) > MAX_CHARS:
        return False
    picture_after_text = line.text_type not in READABLE and before.text_type in READABLE
    run.context = line.model_copy(
        update={
            "original_message": text,
            "raw_message": _joined(before.raw_message, line.raw_message),
            "at_me": before.at_me or line.at_me,
            "file_url": line.file_url or before.file_url,
            "text_type": before.text_type if picture_after_text else line.text_type,
            "start_time": before.start_time,
        }
    )
    run.merged.append(run.message_id)
    run.message_id = UUID(line.message_id)
    return True


def _joined(first: str, second: str) -> str:
    return "\n".join(text for text in (first, second) if text)
