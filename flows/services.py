"""Starting runs for stored lines, and making a published version the one that they start with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from flows import merging
from flows.context import StandardContext
from flows.engine import knowledge, leases
from flows.graph import GraphError, compile_graph, validate
from flows.merging import PlannedRun
from flows.models import Flow, FlowVersion
from robots import hotpath as robot_rows
from robots.caches import RobotSnapshot, robots_by_id
from robots.hotpath import Settlement
from robots.inbound.store import StoredLine
from robots.names import normal_name
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import User
from worktool_ai.lib import bulk
from worktool_ai.lib.bulk import Part
from worktool_ai.lib.clock import now
from worktool_ai.lib.db import prepared_cursor

__all__ = ["activate", "input_of", "publish", "start_runs"]

_RUNS = """
runs AS (
    INSERT INTO flows_run (id, conversation_id, message_id, version_id, state, outcome, reason, input, edges,
                           recoveries, error, created_at, flush_at)
    SELECT id, conversation_id, message_id, version_id, 'queued', '', '', input, '{}', 0, '', created_at, flush_at
      FROM ROWS FROM (jsonb_to_recordset(%(runs)s::jsonb)
                      AS (id uuid, conversation_id uuid, message_id uuid, version_id uuid, input jsonb,
                          created_at timestamptz, flush_at timestamptz))
           WITH ORDINALITY AS row(id, conversation_id, message_id, version_id, input, created_at, flush_at, position)
     ORDER BY position
)
"""

_LEASES = """
leases AS (
    INSERT INTO flows_conversationlease AS lease (conversation_id, queued, due_at, epoch, holder)
    SELECT conversation_id, queued, due_at, 0, ''
      FROM jsonb_to_recordset(%(leases)s::jsonb) AS row(conversation_id uuid, queued int, due_at timestamptz)
     ORDER BY conversation_id
    ON CONFLICT (conversation_id) DO UPDATE
       SET queued = lease.queued + excluded.queued, due_at = coalesce(lease.due_at, excluded.due_at)
)
"""

#: Makes and locks leases in one order, so that no run changes under who holds them.
_LOCK_LEASES = """
INSERT INTO flows_conversationlease AS lease (conversation_id, queued, epoch, holder)
SELECT DISTINCT conversation_id, 0, 0, '' FROM unnest(%s::uuid[]) AS t(conversation_id) ORDER BY conversation_id
ON CONFLICT (conversation_id) DO UPDATE SET queued = lease.queued
"""


def start_runs(lines: Sequence[StoredLine]) -> int:
    """Queue a run for each stored line, in order, in the caller's transaction; returns how many conversations are due.

    Lines of a robot with a merging window may share a run (:mod:`flows.merging`).
    While no flow is published the lines are settled as ``flow_silent``: silence has its reason.
    """
    if not lines:
        return 0
    version = knowledge.active_version()
    with prepared_cursor() as cursor:
        if version is None:
            robot_rows.settle_messages(cursor, [_unanswered(line) for line in lines])
            return 0
        robots = {line.robot_id: knowledge.robot_of(line.robot_id) for line in lines}
        names = _robot_names(robots_by_id())
        found = [(input_of(line, robots[line.robot_id], names), robots[line.robot_id]) for line in lines]
        if any(robot.merge_window_s for robot in robots.values()):
            return _queue_merged(cursor, version, found)
        due = Counter(line.conversation_id for line in lines)
        bulk.execute(cursor, [_runs_part(version, merging.plan(found, {}, now())), _leases_part(due)])
    return len(due)


def _runs_part(version: UUID, runs: Sequence[PlannedRun]) -> Part:
    common = {"version_id": version, "created_at": now()}
    return Part("runs", _RUNS, [{**run.row(), **common} for run in runs if run.is_new])


def _leases_part(due: Mapping[UUID, int]) -> Part:
    moment = now()
    rows = [{"conversation_id": key, "queued": queued, "due_at": moment} for key, queued in due.items()]
    return Part("leases", _LEASES, rows)


def _queue_merged(cursor: Any, version: UUID, found: Sequence[tuple[StandardContext, RobotSnapshot]]) -> int:
    """Lock the leases first, as workers do: no run is taken up while a line joins it."""
    moment, conversations = now(), list({UUID(context.session_id) for context, _robot in found})
    cursor.execute(_LOCK_LEASES, [conversations])
    runs = merging.plan(found, merging.joinable(cursor, conversations), moment)
    bulk.execute(cursor, [_runs_part(version, runs)])
    merging.write_joined(cursor, runs)
    leases.recount(cursor, conversations, moment)
    return len({run.conversation_id for run in runs if run.flush_at is None or run.flush_at <= moment})


def _unanswered(line: StoredLine) -> Settlement:
    return Settlement(message_id=line.message_id, reason="flow_silent", run_id=None)


def input_of(line: StoredLine, robot: RobotSnapshot, robot_names: frozenset[str]) -> StandardContext:
    """Return the context with which a line's run starts. What the platform does not tell is derived, and marked so."""
    return StandardContext(
        robot_id=robot.slug,
        robot_name=robot.name,
        session_id=str(line.conversation_id),
        message_id=str(line.message_id),
        user_id=str(line.conversation_id),
        user_name=line.sender_name,
        group_id=str(line.room_id) if line.is_group else None,
        group_name=line.group_name or None,
        group_remark=line.group_remark or None,
        room_type=line.room_type,
        is_group=line.is_group,
        original_message=line.text,
        raw_message=line.raw_text,
        text_type=line.text_type,
        file_url=f"media:{line.media_digest}" if line.media_digest else None,
        at_me=line.at_me,
        start_time=int(now().timestamp() * 1000),
        sender_role=_role(line.sender_name, robot, robot_names),
        received_at=int(line.received_at.timestamp() * 1000),
        is_backfill=line.is_backfill,
        group=robot.group,
    )


def _role(sender: str, robot: RobotSnapshot, robot_names: frozenset[str]) -> str:
    name = normal_name(sender)
    if name in robot.staff_names:
        return "staff"
    return "robot" if name in robot_names else "customer"


def _robot_names(robots: Mapping[UUID, RobotSnapshot]) -> frozenset[str]:
    names = (name for robot in robots.values() for name in (robot.name, *robot.aliases))
    return frozenset(normal for name in names if (normal := normal_name(name)))


@transaction.atomic
def publish(flow: Flow, graph: Mapping[str, Any], *, actor: User | None, note: str = "") -> FlowVersion:
    """Publish a graph as the flow's next version and make it the active one; raises :class:`GraphError`.

    Runs in flight keep the version that they started with.
    """
    problems = validate(graph)
    if problems:
        raise GraphError(problems)
    locked = Flow.objects.select_for_update().get(pk=flow.pk)
    number = (locked.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    version = FlowVersion.objects.create(flow=locked, number=number, graph=dict(graph), note=note, published_by=actor)
    before = {"active_version": str(locked.active_version_id or "")}
    locked.active_version, locked.draft = version, dict(graph)
    locked.save(update_fields=["active_version", "draft", "updated_at"])
    audit.record(actor, "flow.publish", locked, before, {"active_version": str(version.pk), "number": number})
    transaction.on_commit(knowledge.forget)
    return version


@transaction.atomic
def activate(version: FlowVersion, *, actor: User | None) -> None:
    """Make a published version the active one again; raises :class:`GraphError` if it can no longer run.

    A version that was good when it was published may name a node type that has gone since.
    """
    compile_graph(version.graph)
    flow = Flow.objects.select_for_update().get(pk=version.flow_id)
    before = {"active_version": str(flow.active_version_id or "")}
    flow.active_version = version
    flow.save(update_fields=["active_version", "updated_at"])
    audit.record(actor, "flow.activate", flow, before, {"active_version": str(version.pk), "number": version.number})
    transaction.on_commit(knowledge.forget)
