"""The phone's duplicate filter, kept from swallowing answers (worktool-api.md §4.5).

The phone takes a payload that equals one it has, or had a moment ago, for the same one: it drops the earlier, whose
result then never comes. So two equal payloads of one robot are never on their way together, nor within :data:`REST`
after the first is final. Equal is the whole payload, the people it mentions included; it holds no id of ours.

Whoever comes second

1. says it in other words, where the command brings some (``variants``);
2. else waits, and its room with it;
3. or, when it would be stale by then, closes as ``covered``: the equal answer stands in the room.
"""

from __future__ import annotations

from datetime import timedelta

from robots.models import Command, CommandState, Message
from robots.models.commands import STILL_OPEN, Rewording
from robots.transitions import CHANGED_ROWS, announce, changed_rows
from worktool_ai.lib import clock
from worktool_ai.lib.db import prepared_cursor

__all__ = ["NO_EQUAL", "REST", "cover", "on_the_phone", "reword"]

#: So long the phone remembers what it has done.
REST = timedelta(seconds=30)
#: So long an accepted command without a result counts as waiting on the phone; nobody asks for its result after that.
FORGOTTEN = timedelta(hours=1)

_COMMANDS = Command._meta.db_table
#: What may be on the phone, or was a moment ago. What it has never had (refused, not accepted) is in no one's way.
_AT_PHONE = (
    CommandState.SENDING,
    CommandState.ACCEPTED,
    CommandState.UNKNOWN,
    CommandState.DONE,
    CommandState.PARTIAL,
    CommandState.FAILED,
    CommandState.WITHDRAWN_UNCONFIRMED,
)
#: Of these the customer has, or may get, the words.
_STANDS = (
    CommandState.SENDING,
    CommandState.ACCEPTED,
    CommandState.UNKNOWN,
    CommandState.DONE,
    CommandState.PARTIAL,
)


def _listed(states: tuple[CommandState, ...]) -> str:
    return ", ".join(f"'{state.value}'" for state in states)


#: Equal commands that the phone has or had a moment ago, for ``command``; found through robots_command_equal. The robot
#: is compared in a way that no index serves: the one by robot, which the planner likes without statistics, holds all.
_EQUAL = f"""
FROM {_COMMANDS} AS equal
WHERE equal.fingerprint = command.fingerprint AND equal.id <> command.id
  AND equal.robot_id IS NOT DISTINCT FROM command.robot_id
  AND coalesce(equal.final_at, '{STILL_OPEN.isoformat()}'::timestamptz) > %(now)s - interval '{REST.seconds} seconds'
  AND equal.sending_at > %(now)s - interval '{FORGOTTEN.seconds} seconds'
  AND equal.state IN ({_listed(_AT_PHONE)})
  AND (equal.state <> '{CommandState.FAILED}' OR equal.accepted_at IS NOT NULL)
"""

#: OFFSET 0: see outbox_claim.
NO_EQUAL = f"NOT EXISTS (SELECT {_EQUAL} OFFSET 0)"

_REWORD = f"""
WITH first_variant AS (
    SELECT command.id, command.variants->>0 AS words FROM {_COMMANDS} AS command
    WHERE command.state = '{CommandState.QUEUED}' AND command.variants <> '[]'::jsonb
      AND EXISTS (SELECT {_EQUAL} OFFSET 0)
    ORDER BY command.seq LIMIT 1000
    FOR UPDATE OF command SKIP LOCKED
), changed AS (
    UPDATE {_COMMANDS} AS command SET
        text = words, payload = jsonb_set(command.payload, '{{receivedContent}}', to_jsonb(words)),
        variants = command.variants - 0, reworded = '{Rewording.VARIANT}'
    FROM first_variant WHERE command.id = first_variant.id
    RETURNING command.message_id, words
)
UPDATE {Message._meta.db_table} AS line SET text = words FROM changed WHERE line.id = changed.message_id
"""  # noqa: S608 - constants of ours only

_COVER = f"""
WITH looked_at AS (
    SELECT command.id, equal.id AS covered_by FROM {_COMMANDS} AS command
    JOIN LATERAL (
        SELECT equal.id {_EQUAL} AND equal.state IN ({_listed(_STANDS)})
          AND (command.expires_at <= %(now)s
               OR equal.final_at + interval '{REST.seconds} seconds' >= command.expires_at)
        ORDER BY equal.seq DESC LIMIT 1
    ) AS equal ON true
    WHERE command.state = '{CommandState.QUEUED}'
      AND command.expires_at <= %(now)s + interval '{REST.seconds} seconds'
    ORDER BY command.seq LIMIT 1000
    FOR UPDATE OF command SKIP LOCKED
), changed AS (
    UPDATE {_COMMANDS} AS command SET
        state = '{CommandState.COVERED}', covered_by_id = looked_at.covered_by, final_at = %(now)s
    FROM looked_at WHERE command.id = looked_at.id
    RETURNING command.*
) {CHANGED_ROWS}
"""  # noqa: S608


_ON_THE_PHONE = f"SELECT EXISTS (SELECT {_EQUAL}) FROM {_COMMANDS} AS command WHERE command.id = %(id)s"  # noqa: S608


def on_the_phone(command: Command) -> bool:
    """Tell whether the phone has an equal one, or had it a moment ago."""
    with prepared_cursor() as cursor:
        cursor.execute(_ON_THE_PHONE, {"id": command.pk, "now": clock.now()})
        found = cursor.fetchone()
    return bool(found and found[0])


def reword() -> None:
    """Give queued commands that equal one on the phone their next wording, where they bring one."""
    with prepared_cursor() as cursor:
        cursor.execute(_REWORD, {"now": clock.now()})


def cover() -> int:
    """Close queued commands that would be stale before the phone takes them, where an equal one stands; returns how
    many. Runs in the caller's transaction.
    """
    with prepared_cursor() as cursor:
        cursor.execute(_COVER, {"now": clock.now()})
        changed = changed_rows(cursor.fetchall())
    announce(changed)
    return len(changed)
