"""The checks. Each query gives ids of rows that should not be; it may use these parameters:

``since``   rows from before are left out: retention may have taken what belongs to them
``before``  rows from after are left out: they may still be under way
``told``    events from before may have been deleted
"""
# ruff: noqa: S608 - the queries are built of constants of this file only

from __future__ import annotations

from dataclasses import dataclass

from robots.models import CommandState
from robots.models.commands import FINAL

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """``tells`` says what a found row lacks, so that whoever reads the number knows what is wrong."""

    name: str
    tells: str
    query: str


def _quoted(states: frozenset[CommandState]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_ENDED = "('done', 'failed', 'stopped')"
_RUNNABLE = "('queued', 'active')"
_SENT = "('done', 'partial')"
_FINAL = _quoted(FINAL - {CommandState.DRAFT})
_INCOMING = "line.direction = 'in' AND line.stored_at >= %(since)s AND line.stored_at < %(before)s"
_ENDED_RUNS = f"run.state IN {_ENDED} AND run.created_at >= %(since)s"
_COMMANDS = "command.created_at >= %(since)s AND command.created_at < %(before)s"
_RUNNABLE_RUNS = f"""(SELECT count(*) FROM flows_run AS run
    WHERE run.conversation_id = lease.conversation_id AND run.state IN {_RUNNABLE})"""

_LINES = (
    Check(
        "line_without_run_or_reason",
        "a customer's line that no run works on and that says no reason",
        f"""SELECT line.id FROM robots_message AS line
            WHERE {_INCOMING} AND line.settled_at IS NULL
              AND NOT EXISTS (SELECT FROM flows_run AS run WHERE run.message_id = line.id)""",
    ),
    Check(
        "answered_line_without_command",
        "a customer's line that is called answered although its run made no command",
        f"""SELECT line.id FROM robots_message AS line
            WHERE {_INCOMING} AND line.reason IN ('answered', 'asked_back') AND line.run_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM robots_command AS command WHERE command.run_id = line.run_id)""",
    ),
)

_RUNS = (
    Check(
        "ended_run_without_end",
        "a run that has ended without its time, reason or outcome",
        f"""SELECT run.id FROM flows_run AS run WHERE {_ENDED_RUNS}
            AND (run.ended_at IS NULL OR run.reason = '' OR run.outcome = '' AND EXISTS (
                SELECT FROM flows_step AS step WHERE step.run_id = run.id AND step.node_type = 'end'))""",
    ),
    Check(
        "ended_run_with_open_line",
        "a run that has ended while its line is still open",
        f"""SELECT run.id FROM flows_run AS run JOIN robots_message AS line ON line.id = run.message_id
            WHERE {_ENDED_RUNS} AND run.ended_at < %(before)s AND line.settled_at IS NULL""",
    ),
    Check(
        "done_run_with_open_edges",
        "a run that is done although an edge of its graph is neither taken nor skipped",
        f"""SELECT run.id FROM flows_run AS run JOIN flows_flowversion AS version ON version.id = run.version_id
            WHERE {_ENDED_RUNS} AND run.state = 'done' AND EXISTS (
                SELECT FROM jsonb_array_elements(version.graph->'edges') AS edge
                WHERE coalesce(run.edges->>(edge->>'id'), '') NOT IN ('taken', 'skipped'))""",
    ),
    Check(
        "done_run_without_end_step",
        "a run that is done without having come to an end node",
        f"""SELECT run.id FROM flows_run AS run JOIN flows_flowversion AS version ON version.id = run.version_id
            WHERE {_ENDED_RUNS} AND run.state = 'done' AND version.graph @> '{{"nodes": [{{"type": "end"}}]}}'
              AND NOT EXISTS (SELECT FROM flows_step AS step WHERE step.run_id = run.id AND step.node_type = 'end')""",
    ),
    Check(
        "ended_run_with_open_wait",
        "a run that has ended although it still waits for something",
        f"""SELECT DISTINCT run.id FROM flows_run AS run JOIN flows_wait AS wait ON wait.run_id = run.id
            WHERE {_ENDED_RUNS} AND wait.state = 'open'""",
    ),
    Check(
        "overdue_wait",
        "a run whose waiting time is long over and that nobody woke",
        "SELECT wait.run_id FROM flows_wait AS wait WHERE wait.state = 'open' AND wait.due_at < %(before)s",
    ),
    Check(
        "two_active_runs",
        "a conversation with two active runs",
        """SELECT run.conversation_id FROM flows_run AS run WHERE run.state = 'active'
           GROUP BY run.conversation_id HAVING count(*) > 1""",
    ),
)

_LEASES = (
    Check(
        "lease_queued_differs",
        "a conversation whose counter of queued runs is not the number of its runs that want a worker",
        f"SELECT lease.conversation_id FROM flows_conversationlease AS lease WHERE lease.queued <> {_RUNNABLE_RUNS}",
    ),
    Check(
        "lease_due_differs",
        "a conversation that is due without a run that wants a worker, or the other way round",
        f"""SELECT lease.conversation_id FROM flows_conversationlease AS lease
            WHERE (lease.due_at IS NOT NULL) <> ({_RUNNABLE_RUNS} > 0)""",
    ),
    Check(
        "overdue_and_held_by_nobody",
        "a conversation whose work is overdue and that no worker holds",
        """SELECT lease.conversation_id FROM flows_conversationlease AS lease
           WHERE lease.due_at < %(before)s AND (lease.until IS NULL OR lease.until < %(before)s)""",
    ),
)

_SENDING = (
    Check(
        "done_command_without_line",
        "a command that was carried out in a conversation without an outbound line that shows it",
        f"""SELECT command.id FROM robots_command AS command
            LEFT JOIN robots_message AS line ON line.id = command.message_id AND line.direction = 'out'
            WHERE {_COMMANDS} AND command.state IN {_SENT} AND command.conversation_id IS NOT NULL
              AND command.cancels_id IS NULL AND line.id IS NULL""",
    ),
    Check(
        "done_command_without_platform_id",
        "a command that was carried out under an id of the platform which it does not have",
        f"""SELECT DISTINCT command.id FROM robots_command AS command
            JOIN robots_commandresult AS result ON result.command_id = command.id AND result.platform_id <> ''
            WHERE {_COMMANDS} AND command.state IN {_SENT} AND command.platform_id = ''
              AND EXISTS (SELECT FROM robots_command AS other
                          WHERE other.robot_id = command.robot_id AND other.platform_id = result.platform_id)""",
    ),
    Check(
        "platform_id_of_two_commands",
        "a command whose platform id another command of its robot has too",
        f"""SELECT command.id FROM robots_command AS command
            WHERE {_COMMANDS} AND command.platform_id <> '' AND EXISTS (
                SELECT FROM robots_command AS other WHERE other.robot_id = command.robot_id
                AND other.platform_id = command.platform_id AND other.seq < command.seq)""",
    ),
    Check(
        "room_out_of_order",
        "a command that left before an earlier one to the same room",
        # one that was never accepted is repeated later in its old place
        f"""SELECT ordered.id FROM (
                SELECT command.id, command.sending_at, lag(command.sending_at) OVER (
                    PARTITION BY command.robot_id, command.target ORDER BY command.seq, command.sending_at) AS earlier
                FROM robots_command AS command
                WHERE {_COMMANDS} AND command.sending_at IS NOT NULL AND command.state <> 'not_accepted') AS ordered
            WHERE ordered.sending_at < ordered.earlier""",
    ),
    Check(
        "sending_without_sender",
        "a command that is called being sent although no process can be sending it",
        """SELECT command.id FROM robots_command AS command
           WHERE command.state = 'sending' AND (command.sender = '' OR command.sending_at < %(before)s)""",
    ),
    Check(
        "final_command_without_time",
        "a command that is final without saying since when, or the other way round",
        f"""SELECT command.id FROM robots_command AS command
            WHERE {_COMMANDS} AND (command.state IN ({_FINAL})) <> (command.final_at IS NOT NULL)""",
    ),
)

_TOLD = """EXISTS (SELECT FROM told WHERE told.kind = '{kind}' AND told.id = {id}::text)"""
_EVENTS = """WITH told AS MATERIALIZED (
    SELECT DISTINCT item->>'type' AS kind, item->>'{key}' AS id
    FROM events_eventbatch AS batch, jsonb_array_elements(batch.items) AS item
    WHERE batch.created_at >= %(told)s)
"""
_SEND_EVENTS = _EVENTS.replace("item->>'{key}'", "item->'data'->>'sendId'")

_TELLING = (
    Check(
        "line_without_event",
        "a customer's line that no event message_received tells of",
        _EVENTS.format(key="messageId")
        + f"""SELECT line.id FROM robots_message AS line
            WHERE {_INCOMING} AND line.stored_at >= %(told)s AND line.reason <> 'duplicate' AND NOT """
        + _TOLD.format(kind="message_received", id="line.id"),
    ),
    Check(
        "done_run_without_event",
        "a run that came to an end node without an event flow_completed",
        _EVENTS.format(key="runId")
        + f"""SELECT run.id FROM flows_run AS run
            WHERE {_ENDED_RUNS} AND run.state = 'done' AND run.started_at >= %(told)s AND run.ended_at < %(before)s
              AND EXISTS (SELECT FROM flows_step AS step WHERE step.run_id = run.id AND step.node_type = 'end')
              AND NOT """
        + _TOLD.format(kind="flow_completed", id="run.id"),
    ),
    Check(
        "final_command_without_event",
        "a command that is final without an event command_result",
        _SEND_EVENTS
        + f"""SELECT command.id FROM robots_command AS command
            WHERE command.state IN ({_FINAL}) AND command.state <> 'closed_by_restore'
              AND command.final_at >= %(told)s AND command.final_at < %(before)s AND NOT """
        + _TOLD.format(kind="command_result", id="command.id"),
    ),
)

_ALERTS = (
    Check(
        "alert_counted_too_little",
        "an alert that counts fewer times than occurrences were reported of it",
        """SELECT alert.id FROM alerts_alert AS alert
           WHERE jsonb_array_length(coalesce(alert.data->'keys', '[]')) > alert.count""",
    ),
)

CHECKS: tuple[Check, ...] = (*_LINES, *_RUNS, *_LEASES, *_SENDING, *_TELLING, *_ALERTS)
