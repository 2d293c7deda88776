"""Changes of a command's state: compare-and-set, grouped, with their events and hooks, in one place.

Every function here runs in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from robots import answered, hooks
from robots.answered import Answer
from robots.caches import RobotSnapshot, robots_by_id
from robots.models import Command, CommandState, Conversation, Reason, Room
from robots.models.commands import FINAL, command_status
from worktool_ai.events.services import part_about_changed, record
from worktool_ai.events.types import Event, EventType
from worktool_ai.lib import bulk, clock
from worktool_ai.lib.bulk import Part
from worktool_ai.lib.db import prepared_cursor
from worktool_ai.lib.json_rows import decode

__all__ = ["Change", "Changed", "announce", "apply", "changed_rows", "note", "withdraw"]

MAX_REASON = 500
#: An answer in one of these was taken back; lines with one of these reasons were thought to be answered by it.
TAKEN_BACK = (CommandState.WITHDRAWN, CommandState.WITHDRAWN_UNCONFIRMED)
THOUGHT_ANSWERED = (Reason.ANSWERED, Reason.ASKED_BACK, Reason.SEND_UNKNOWN)
#: Somebody was reached, after all.
REACHED = (CommandState.DONE, CommandState.PARTIAL)
#: Nobody was.
NOT_SAID = (CommandState.FAILED, CommandState.NOT_ACCEPTED)
#: No run has given up waiting for a younger command.
SOON = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Move command ``id`` from one of the states ``was`` to ``state``; otherwise it is left alone.

    With ``sender`` (and ``attempts``) only that process' own attempt is changed. ``None`` keeps a column as it is.
    """

    id: UUID
    was: tuple[str, ...]
    state: str
    sender: str | None = None
    attempts: int | None = None
    platform_id: str | None = None
    accepted_at: datetime | None = None
    not_before: datetime | None = None
    error_code: int | None = None
    error_reason: str | None = None
    evidence: list[dict[str, Any]] | None = None
    resent_as: UUID | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A command after its change, with what events tell about it. ``stands_for``: the command that it repeats."""

    id: UUID
    robot_id: UUID
    conversation_id: UUID | None
    message_id: UUID | None
    run_id: UUID | None
    kind: int
    target: str
    text: str
    payload: dict[str, Any]
    state: str
    attempts: int
    platform_id: str
    error_code: int | None
    error_reason: str
    resent_as: UUID | None
    created_at: datetime
    person: str | None
    room_name: str | None
    stands_for: UUID | None

    @property
    def is_final(self) -> bool:
        """Whether its sending has ended; a command that is sent again ends with its successor."""
        return self.state in FINAL and self.resent_as is None


#: Selects :class:`Changed` from a CTE ``changed`` that returns whole rows of the command table.
CHANGED_ROWS = f"""
SELECT changed.id, changed.robot_id, changed.conversation_id, changed.message_id, changed.run_id, changed.kind,
       changed.target, changed.text, changed.payload, changed.state, changed.attempts, changed.platform_id,
       changed.error_code, changed.error_reason, changed.resent_as_id, changed.created_at,
       conversation.sender_name,
       CASE WHEN room.is_group THEN room.name END, earlier.id
FROM changed
LEFT JOIN {Conversation._meta.db_table} AS conversation ON conversation.id = changed.conversation_id
LEFT JOIN {Room._meta.db_table} AS room ON room.id = changed.room_id
LEFT JOIN {Command._meta.db_table} AS earlier ON earlier.resent_as_id = changed.id
ORDER BY changed.priority, changed.seq
"""  # noqa: S608 - table names of ours only

_FINAL_LIST = ", ".join(f"'{state}'" for state in sorted(FINAL))

_CHANGE = f"""changed AS (
    UPDATE {Command._meta.db_table} AS command SET
        state = change.state,
        platform_id = coalesce(change.platform_id, command.platform_id),
        accepted_at = coalesce(change.accepted_at, command.accepted_at),
        not_before = coalesce(change.not_before, command.not_before),
        error_code = coalesce(change.error_code, command.error_code),
        error_reason = coalesce(change.error_reason, command.error_reason),
        evidence = coalesce(change.evidence, command.evidence),
        resent_as_id = coalesce(change.resent_as, command.resent_as_id),
        final_at = CASE WHEN change.state IN ({_FINAL_LIST}) THEN %(now)s END
    FROM jsonb_to_recordset(%(changes)s::jsonb) AS change (
        id uuid, was jsonb, state text, sender text, attempts int, platform_id text, accepted_at timestamptz,
        not_before timestamptz, error_code int, error_reason text, evidence jsonb, resent_as uuid)
    WHERE command.id = change.id AND change.was ? command.state
      AND (change.sender IS NULL OR command.sender = change.sender AND command.attempts = change.attempts)
    RETURNING command.*
)"""  # noqa: S608

#: Also which of them have a result that came before their platform id was known.
_NOTE = """
SELECT changed.id, EXISTS (
    SELECT FROM robots_commandresult AS early
    WHERE early.command_id IS NULL AND changed.platform_id <> ''
      AND (early.platform_id = changed.platform_id OR early.inner_id = changed.platform_id AND early.inner_id <> ''))
FROM changed
"""


def apply(changes: Sequence[Change]) -> list[Changed]:
    """Make these changes where they still apply, announce them, and return the commands that did change."""
    if not changes:
        return []
    with prepared_cursor() as cursor:
        bulk.execute(cursor, [_part(changes)], CHANGED_ROWS, now=clock.now())
        changed = changed_rows(cursor.fetchall())
    announce(changed)
    return changed


def withdraw(ids: Iterable[UUID], why: str) -> int:
    """Withdraw those of these commands that are still queued, and announce it; returns how many were."""
    queued, withdrawn = (CommandState.QUEUED,), CommandState.WITHDRAWN
    return len(apply([Change(id=pk, was=queued, state=withdrawn, error_reason=why) for pk in ids]))


def note(changes: Sequence[Change], known: Mapping[UUID, Changed]) -> dict[UUID, bool]:
    """Make changes that end no command, with their events, in one statement, which is a transaction of its own outside
    of one. ``known`` holds the commands as they were.

    Returns those that did change, and whether a result of each has come before.
    """
    told = [(one.id, event) for one in changes for event in _events_of(one, known[one.id])]
    with prepared_cursor() as cursor:
        bulk.execute(cursor, [_part(changes), part_about_changed(told)], _NOTE, now=clock.now())
        return dict(cursor.fetchall())


def _part(changes: Sequence[Change]) -> Part:
    return Part("changes", _CHANGE, [_row(change) for change in changes])


def _events_of(change: Change, command: Changed) -> list[Event]:
    after = replace(
        command,
        state=change.state,
        platform_id=change.platform_id or command.platform_id,
        error_code=command.error_code if change.error_code is None else change.error_code,
        error_reason=command.error_reason if change.error_reason is None else change.error_reason,
    )
    return _events(after, robots_by_id().get(command.robot_id))


def changed_rows(rows: Iterable[Sequence[Any]]) -> list[Changed]:
    """Read the rows of a statement that ends with :data:`CHANGED_ROWS`."""
    payload_column = 8
    return [
        Changed(*(decode(value) if column == payload_column else value for column, value in enumerate(row)))
        for row in rows
    ]


def _row(change: Change) -> dict[str, Any]:
    row = {field.name: getattr(change, field.name) for field in fields(change)}
    if change.error_reason is not None:
        row["error_reason"] = change.error_reason[:MAX_REASON]
    return row


def announce(changed: Sequence[Changed]) -> None:
    """Record the events of these changes, tell the app above which commands are final, correct what lines say."""
    robots = robots_by_id()
    events = [event for command in changed for event in _events(command, robots.get(command.robot_id))]
    if events:
        record(*events)
    ended = [id_ for command in changed if command.is_final for id_ in (command.id, command.stands_for) if id_]
    if ended:
        hooks.commands_final(ended)
    # after the hook: leases are locked before lines, as the engine does
    taken_back = [Answer.of(command) for command in changed if command.state in TAKEN_BACK]
    answered.resettle(taken_back, THOUGHT_ANSWERED, Reason.WITHDRAWN)
    answered.resettle([Answer.of(command) for command in _found_out(changed)], (Reason.SEND_UNKNOWN,), Reason.ANSWERED)
    answered.resettle([Answer.of(command) for command in _uncovered(changed)], (Reason.ANSWERED,), Reason.SEND_FAILED)


def _found_out(changed: Iterable[Changed]) -> list[Changed]:
    """Return those that have reached somebody so late that their runs may have stopped waiting."""
    late = clock.now() - SOON
    return [
        command for command in changed if command.state in REACHED and (command.stands_for or command.created_at < late)
    ]


def _uncovered(changed: Iterable[Changed]) -> Iterable[Command]:
    """Return those that were closed because an equal one stood in the room, which has failed now."""
    failed = [command.id for command in changed if command.is_final and command.state in NOT_SAID]
    return Command.objects.filter(covered_by__in=failed) if failed else ()


def _events(command: Changed, robot: RobotSnapshot | None) -> list[Event]:
    if robot is None or command.state in (CommandState.QUEUED, CommandState.SENDING):
        return []
    if command.state != CommandState.ACCEPTED:
        return [_event("command_result", command, robot, _result_data(command))]
    sent = [_event("command_sent", command, robot, _sent_data(command))]
    if command.message_id:
        sent.append(_event("message_sent", command, robot, _line_data(command, robot)))
    return sent


def _event(kind: EventType, command: Changed, robot: RobotSnapshot, data: dict[str, Any]) -> Event:
    event: Event = {
        "type": kind,
        "at": clock.now().isoformat(),
        "robot": robot.slug,
        "group": robot.group,
        "data": data,
    }
    if command.message_id:
        event["messageId"] = str(command.message_id)
    if command.run_id:
        event["runId"] = str(command.run_id)
    return event


def _sent_data(command: Changed) -> dict[str, Any]:
    return {
        "sendId": str(command.id),
        "messageId": command.platform_id,
        "target": command.target,
        "status": command_status(command.state),
        "state": command.state,
    }


def _result_data(command: Changed) -> dict[str, Any]:
    result = {"errorCode": command.error_code, "errorReason": command.error_reason}
    return {**_sent_data(command), "result": result}


def _line_data(command: Changed, robot: RobotSnapshot) -> dict[str, Any]:
    return {
        "sendId": str(command.id),
        "sessionId": str(command.conversation_id or ""),
        "messageId": str(command.message_id),
        "robotId": robot.slug,
        "userName": command.person or "",
        "groupName": command.room_name or "",
        "content": command.text,
        "timestamp": clock.now().isoformat(),
        "status": command_status(command.state),
        "state": command.state,
    }
