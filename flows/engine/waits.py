"""Durable waits: rows with a due time are the truth. What wakes a run: its command became final, or time is up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from flows import doorbell
from robots.models.commands import FINAL
from worktool_ai.lib.clock import now
from worktool_ai.lib.db import prepared_cursor, tx

__all__ = ["wake_due", "wake_for_commands"]

#: Leases first and in one order, as everywhere: two transactions that wake and commit cannot deadlock.
_LOCK = """
SELECT 1 FROM flows_conversationlease
 WHERE conversation_id IN (SELECT conversation_id FROM flows_wait WHERE id = ANY(%(waits)s))
 ORDER BY conversation_id FOR UPDATE
"""

#: The command in force for a wait: the one that was waited for, or the one that repeats it.
_IN_FORCE = """
robots_command AS waited JOIN robots_command AS command ON command.id = coalesce(waited.resent_as_id, waited.id)
"""

_WAKE = f"""
WITH woken AS (
    UPDATE flows_wait SET state = %(state)s WHERE id = ANY(%(waits)s) AND state = 'open'
    RETURNING run_id, node_id, ordinal, key
), told AS (
    UPDATE flows_effect AS effect
       SET done_at = %(now)s,
           outcome = CASE WHEN woken.key IS NULL THEN effect.intent
                          WHEN command.id IS NULL THEN '{{}}'::jsonb ELSE jsonb_build_object(
               'state', command.state, 'error', command.error_reason,
               'timedOut', command.state <> ALL(%(final)s)) END
      FROM woken LEFT JOIN ({_IN_FORCE}) ON waited.id = woken.key
     WHERE effect.run_id = woken.run_id AND effect.node_id = woken.node_id AND effect.ordinal = woken.ordinal
       AND effect.outcome IS NULL
), runs AS (
    UPDATE flows_run AS run SET state = 'queued'
      FROM (SELECT DISTINCT run_id FROM woken) AS woken
     WHERE run.id = woken.run_id AND run.state IN ('settling', 'parked')
    RETURNING run.conversation_id
)
UPDATE flows_conversationlease AS lease
   SET queued = lease.queued + runs.number, due_at = least(lease.due_at, %(now)s)
  FROM (SELECT conversation_id, count(*) AS number FROM runs GROUP BY conversation_id) AS runs
 WHERE lease.conversation_id = runs.conversation_id
"""  # noqa: S608 - a constant of ours

#: Their command was final before their wait was written.
_MISSED = f"""
SELECT flows_wait.id FROM flows_wait JOIN ({_IN_FORCE}) ON waited.id = flows_wait.key
 WHERE flows_wait.state = 'open' AND command.state = ANY(%s) LIMIT %s
"""  # noqa: S608 - a constant of ours

_FINAL = [str(state) for state in FINAL]


def wake_for_commands(commands: Sequence[UUID]) -> None:
    """Wake the runs that wait for these commands (bound to ``robots.hooks.commands_final``; caller's transaction)."""
    woken = _wake("SELECT id FROM flows_wait WHERE key = ANY(%s) AND state = 'open'", [list(commands)], "woken")
    if woken:
        transaction.on_commit(lambda: doorbell.ring(woken))


def wake_due(limit: int = 500) -> int:
    """Wake runs whose time is up, and those whose command became final before their wait was written."""
    with tx():
        expired = _wake(
            "SELECT id FROM flows_wait WHERE state = 'open' AND due_at <= %s LIMIT %s", [now(), limit], "expired"
        )
        missed = _wake(_MISSED, [_FINAL, limit], "woken")
    return expired + missed


def _wake(select: str, parameters: list[Any], state: str) -> int:
    with prepared_cursor() as cursor:
        cursor.execute(select, parameters)
        waits = [row[0] for row in cursor.fetchall()]
        if not waits:
            return 0
        cursor.execute(_LOCK, {"waits": waits})
        cursor.execute(_WAKE, {"waits": waits, "state": state, "now": now(), "final": _FINAL})
    return len(waits)
