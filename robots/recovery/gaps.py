"""The rows of outages: opened once each, leased to one process at a time, ended with what was found."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.http import HttpRequest

from robots.models import CallbackGap, GapCause, GapState, Robot
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, User
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7
from worktool_ai.lib.logs import get_logger

__all__ = [
    "LEASE",
    "OPEN_GAPS",
    "ask",
    "claim_due",
    "gap_rows",
    "give_up_old",
    "note_problem",
    "note_read",
    "open_gap",
    "put_off",
]

logger = get_logger(__name__)

#: A look is one query and its writing; a process that dies in it is followed after so long.
LEASE = timedelta(seconds=60)
#: The first look comes when every callback of the outage has been answered or dropped (3 s).
FIRST_LOOK = timedelta(seconds=4)
#: Rows of the log may appear late: looked for again so long after the first and the second look.
LOOK_AGAIN = (timedelta(seconds=5), timedelta(seconds=60))
GIVE_UP_AFTER = timedelta(hours=24)
BACKOFF_S = (5.0, 300.0)
#: A longer outage is read in part: older lines are of no use to anybody.
LONGEST = timedelta(days=3)

#: Written by the door on its own connection and by us: columns as of :func:`gap_rows`.
OPEN_GAPS = """
INSERT INTO robots_callbackgap (
    id, robot_id, cause, since, until, state, looks, found, taken_in, attempts, due_at, error, created_at)
SELECT id, robot_id, cause, since, until, 'open', 0, 0, 0, 0, due_at, '', created_at
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
            %s::timestamptz[]) AS row (id, robot_id, cause, since, until, due_at, created_at)
ON CONFLICT (robot_id, cause, since) DO NOTHING
"""


def gap_rows(robots: Iterable[UUID], cause: GapCause, since: datetime, until: datetime) -> list[list[object]]:
    """Return the parameters of :data:`OPEN_GAPS`: one row for each robot."""
    now = clock.now()
    since = max(since, now - LONGEST)
    rows = [(uuid7(), robot, cause.value, since, until, until + FIRST_LOOK, now) for robot in robots]
    return [list(column) for column in zip(*rows, strict=True)]


def open_gap(robot: Robot, cause: GapCause, since: datetime, until: datetime) -> None:
    """Open an outage unless this very one is known."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN_GAPS, gap_rows([robot.pk], cause, since, until))


@transaction.atomic
def ask(
    robot: Robot, since: datetime, until: datetime, actor: User | ApiKey | str, request: HttpRequest | None = None
) -> CallbackGap:
    """Look (again) from ``since`` to ``until``, because somebody asks for it."""
    now = clock.now()
    fresh = {"until": until, "state": GapState.OPEN, "due_at": now, "read_until": None, "looks": 0, "ended_at": None}
    gap, _made = CallbackGap.objects.update_or_create(
        robot=robot,
        cause=GapCause.ASKED,
        since=since,
        defaults={**fresh, "created_at": now, "attempts": 0, "error": ""},
        create_defaults={**fresh, "created_at": now},
    )
    audit.record(actor, "callbackgap.ask", gap, {}, {"since": since, "until": until}, request)
    return gap


@transaction.atomic
def claim_due() -> CallbackGap | None:
    """Take the outage that is due longest, for :data:`LEASE`; None when none is."""
    due = CallbackGap.objects.filter(state=GapState.OPEN, due_at__lte=clock.now()).order_by("due_at")
    gap = due.select_for_update(skip_locked=True).first()
    if gap is not None:
        gap.due_at = clock.now() + LEASE
        gap.save(update_fields=["due_at"])
    return gap


def note_read(gap: CallbackGap, *, next_second: datetime, is_last: bool, found: int, taken_in: int) -> bool:
    """Note a part of the log that has been read and taken in, in the caller's transaction.

    False when the lease was lost meanwhile: then the caller must roll back.
    """
    gap.found = found if gap.read_until is None else gap.found + found
    gap.taken_in += taken_in
    gap.attempts, gap.error = 0, ""
    gap.read_until, due_at = next_second, clock.now()
    if is_last:
        gap.read_until, gap.looks = None, gap.looks + 1
        if gap.looks > len(LOOK_AGAIN):
            gap.state, gap.ended_at = GapState.DONE, due_at
        else:
            due_at += LOOK_AGAIN[gap.looks - 1]
    return _write(gap, due_at, ("found", "taken_in", "attempts", "error", "read_until", "looks", "state", "ended_at"))


def put_off(gap: CallbackGap, seconds: float, why: str) -> None:
    """Look again a little later; nothing went wrong."""
    gap.error = why
    _write(gap, clock.now() + timedelta(seconds=seconds), ("error",))


def note_problem(gap: CallbackGap, error: Exception) -> None:
    """The log could not be read: try again, ever more seldom."""
    first, most = BACKOFF_S
    wait_s = min(most, first * 2 ** min(gap.attempts, 10)) * random.uniform(0.7, 1.0)
    gap.attempts, gap.error = gap.attempts + 1, f"{type(error).__name__}: {error}"[:300]
    logger.warning("recovery.put_off", gap=str(gap.pk), attempts=gap.attempts, error=gap.error, wait_s=round(wait_s))
    _write(gap, clock.now() + timedelta(seconds=wait_s), ("attempts", "error"))


def _write(gap: CallbackGap, due_at: datetime, fields: Sequence[str]) -> bool:
    """Write what has changed and when to look next, unless somebody else holds the lease by now."""
    held = CallbackGap.objects.filter(pk=gap.pk, state=GapState.OPEN, due_at=gap.due_at)
    return bool(held.update(due_at=due_at, **{name: getattr(gap, name) for name in fields}))


def give_up_old() -> None:
    """Give up what could not be read for a day; it stays in the list, and somebody may ask for it again."""
    now = clock.now()
    hopeless = CallbackGap.objects.filter(state=GapState.OPEN, created_at__lt=now - GIVE_UP_AFTER, due_at__lte=now)
    hopeless.update(state=GapState.GAVE_UP, ended_at=now)
