"""What the polls of the outbox would find to do: one statement in place of one for each of them.

Each answer is as wide as the question that the part itself asks then, or wider.
"""

from __future__ import annotations

from dataclasses import dataclass

from robots.clearing import CLEAR_ALL
from robots.models import Command, CommandResult, CommandState, Conversation, Owner, Switch
from robots.results import STRAY_AGE
from robots.withdrawal import CANCEL_WITHIN, WATCHED
from worktool_ai.lib import clock
from worktool_ai.lib.db import borrowed, prepared_cursor

__all__ = ["Agenda", "agenda"]

_COMMANDS = Command._meta.db_table

_AGENDA = f"""
SELECT
    (SELECT count(*) FROM {_COMMANDS} WHERE state = '{CommandState.QUEUED}'),
    EXISTS (SELECT FROM {_COMMANDS}
            WHERE state IN ('{CommandState.QUEUED}', '{CommandState.SENDING}', '{CommandState.UNKNOWN}')),
    EXISTS (SELECT FROM {_COMMANDS} WHERE state = '{CommandState.ACCEPTED}' AND accepted_at IS NOT NULL),
    EXISTS (SELECT FROM {_COMMANDS} AS command
            JOIN {CommandResult._meta.db_table} AS early ON early.platform_id = command.platform_id
            WHERE command.state = '{CommandState.ACCEPTED}' AND command.platform_id <> ''
              AND command.accepted_at > %(strays_since)s AND early.command_id IS NULL),
    EXISTS (SELECT FROM {_COMMANDS} WHERE cancels_id IS NOT NULL AND created_at > %(watched_since)s)
    OR EXISTS (SELECT FROM {_COMMANDS} AS command
               JOIN {Conversation._meta.db_table} AS talk ON talk.id = command.conversation_id
               WHERE command.state = '{CommandState.ACCEPTED}' AND command.accepted_at > %(cancellable_since)s
                 AND talk.owner = '{Owner.HUMAN}' AND command.owner_epoch < talk.owner_epoch),
    EXISTS (SELECT FROM {Switch._meta.db_table} WHERE lifted_at IS NULL)
    OR EXISTS (SELECT FROM {_COMMANDS} WHERE kind = {CLEAR_ALL} AND created_at > %(watched_since)s)
"""  # noqa: S608 - table names and constants of ours only


@dataclass(frozen=True, slots=True)
class Agenda:
    """``queued`` commands, and whether there is something for each part."""

    queued: int
    is_open: bool
    is_accepted: bool
    has_strays: bool
    has_withdrawals: bool
    has_clearings: bool


def agenda() -> Agenda:
    """Look what there is to do."""
    now = clock.now()
    since = {
        "strays_since": now - STRAY_AGE,
        "watched_since": now - WATCHED,
        "cancellable_since": now - CANCEL_WITHIN,
    }
    with borrowed(), prepared_cursor() as cursor:
        cursor.execute(_AGENDA, since)
        return Agenda(*cursor.fetchone())
