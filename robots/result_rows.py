"""The rows that matching results to commands reads and writes.

One statement each for a whole batch, and only the columns that decide: every answered line passes here, often twice
(docs/performance.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from robots.content import ContentKey, content_key
from robots.inbound.parse import ParsedResult
from robots.models import CommandState
from worktool_ai.lib.db import prepared_cursor
from worktool_ai.lib.json_rows import decode, encode

__all__ = ["OrphanRow", "SentCommand", "insert_results", "link", "nameless", "orphans_of", "sent_as", "strays"]


@dataclass(frozen=True, slots=True)
class SentCommand:
    """A command that a result may belong to."""

    id: UUID
    robot_id: UUID
    platform_id: str
    state: str
    payload: Any

    @property
    def key(self) -> ContentKey | None:
        return content_key(decode(self.payload))


@dataclass(frozen=True, slots=True)
class OrphanRow:
    """A stored result without its command. ``raw_message`` is the command as the platform quotes it."""

    id: UUID
    robot_id: UUID
    platform_id: str
    inner_id: str
    error_code: int
    error_reason: str
    success_list: Sequence[str]
    fail_list: Sequence[str]
    raw_message: Mapping[str, Any]


_COMMAND = "SELECT id, robot_id, platform_id, state, payload FROM robots_command"

# "<> ''" again in words: the planner uses a partial index only where its condition is said
_SENT = f"{_COMMAND} WHERE platform_id = ANY(%s) AND platform_id <> '' ORDER BY seq"

_NAMELESS = f"""
{_COMMAND} WHERE state = '{CommandState.ACCEPTED}' AND accepted_at IS NOT NULL AND platform_id = ''
 AND robot_id = ANY(%s) ORDER BY seq
"""

_ORPHAN = """
SELECT id, robot_id, platform_id, inner_id, error_code, error_reason, success_list, fail_list, raw->>'rawMsg'
  FROM robots_commandresult AS orphan WHERE command_id IS NULL
"""
_OLDEST_FIRST = " ORDER BY received_at, id"

_ORPHANS = f"{_ORPHAN} AND (platform_id = ANY(%(ids)s) OR (inner_id = ANY(%(ids)s) AND inner_id <> '')){_OLDEST_FIRST}"

_STRAYS = f"""
{_ORPHAN} AND received_at > %(since)s AND platform_id = ANY(ARRAY(
    SELECT platform_id FROM robots_command
     WHERE state = '{CommandState.ACCEPTED}' AND accepted_at > %(since)s AND platform_id <> '')){_OLDEST_FIRST}
"""  # noqa: S608 - constants of ours only

_INSERT = """
INSERT INTO robots_commandresult (id, robot_id, command_id, platform_id, inner_id, kind, error_code, error_reason,
                                  success_list, fail_list, run_time, time_cost, raw, received_at)
SELECT id, robot_id, command_id, platform_id, inner_id, kind, error_code, left(error_reason, 500),
       success_list, fail_list, run_time, time_cost, raw, received_at
  FROM jsonb_to_recordset(%s::jsonb) AS row (
       id uuid, robot_id uuid, command_id uuid, platform_id text, inner_id text, kind int, error_code int,
       error_reason text, success_list jsonb, fail_list jsonb, run_time timestamptz, time_cost float8, raw jsonb,
       received_at timestamptz)
ON CONFLICT (id) DO NOTHING RETURNING id
"""

_LINK = """
UPDATE robots_commandresult AS result SET command_id = row.command_id
  FROM jsonb_to_recordset(%s::jsonb) AS row (id uuid, command_id uuid) WHERE result.id = row.id
"""


def sent_as(platform_ids: Iterable[str]) -> list[SentCommand]:
    """Return the commands under these platform ids, in the order in which they were queued."""
    return [SentCommand(*row) for row in _rows(_SENT, [list(platform_ids)])]


def nameless(robots: Iterable[UUID]) -> list[SentCommand]:
    """Return these robots' commands that were accepted without being given an id."""
    return [SentCommand(*row) for row in _rows(_NAMELESS, [list(robots)])]


def orphans_of(platform_ids: Iterable[str]) -> list[OrphanRow]:
    """Return results that wait for a command under one of these ids, oldest first."""
    return [_orphan(row) for row in _rows(_ORPHANS, {"ids": list(platform_ids)})]


def strays(since: datetime) -> list[OrphanRow]:
    """Return results since then whose command waits for one, oldest first."""
    return [_orphan(row) for row in _rows(_STRAYS, {"since": since})]


def insert_results(results: Sequence[tuple[ParsedResult, UUID | None]]) -> set[UUID]:
    """Store results with their commands; returns the ids of those that were not stored before."""
    rows = [
        {
            "id": result.id,
            "robot_id": result.robot_id,
            "command_id": command,
            "platform_id": result.platform_id,
            "inner_id": result.inner_id,
            "kind": result.kind,
            "error_code": result.error_code,
            "error_reason": result.error_reason,
            "success_list": result.success_list,
            "fail_list": result.fail_list,
            "run_time": result.run_time,
            "time_cost": result.time_cost,
            "raw": result.raw,
            "received_at": result.received_at,
        }
        for result, command in results
    ]
    return {row[0] for row in _rows(_INSERT, [encode(rows)])}


def link(commands: Mapping[UUID, UUID]) -> None:
    """Give stored results their commands (result id -> command id)."""
    if commands:
        rows = [{"id": result, "command_id": command} for result, command in commands.items()]
        with prepared_cursor() as cursor:
            cursor.execute(_LINK, [encode(rows)])


def _rows(statement: str, parameters: Any) -> list[Any]:
    with prepared_cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _orphan(row: Sequence[Any]) -> OrphanRow:
    *plain, succeeded, failed, message = row
    return OrphanRow(*[*plain, decode(succeeded), decode(failed), _message(message)])


def _message(text: str | None) -> Mapping[str, Any]:
    try:
        message = json.loads(text or "")
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
