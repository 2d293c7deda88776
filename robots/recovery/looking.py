"""The pass over open outages: read a part of the log, take in what we never stored, note how far we came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_noop

from robots import backlog
from robots.caches import RobotSnapshot, robots_by_id
from robots.client import WorkToolError
from robots.limiter import LimiterError
from robots.models import CallbackGap, Conversation, DeadLetter, Direction, InboxEntry, Message, Room
from robots.models.inbound import CallbackKind
from robots.recovery import gaps, silence
from robots.recovery.log import SECOND, Deferred, Remark, lines_of, read
from robots.recovery.matching import SKEW, LogLine, Stored, missing
from robots.stream import partition_of
from worktool_ai.lib import clock, failpoints
from worktool_ai.lib.db import borrowed
from worktool_ai.lib.logs import get_logger

__all__ = ["look", "run"]

logger = get_logger(__name__)

#: A callback that began so long ago has been answered or dropped: its log row tells the end of it.
SETTLED = timedelta(seconds=4)
#: So long after the start of a callback our door may still have taken it.
TAKEN = timedelta(seconds=3)
#: Parts read in one pass; what is left is due again at once.
MAX_PARTS = 20
BUSY_S = 2.0
BUSY = gettext_noop("Waits until the lines that are already here have been stored.")
NO_LEAVE = gettext_noop("Waits for leave: the request limit is used up.")

#: The first key of the advisory lock that lets one process at a time take lines of a robot in.
_LOCK = "SELECT pg_advisory_xact_lock(%s, hashtext(%s))"
LOCK_CLASS = 0x1B0E


class _Busy(Exception):
    """Lines of that time still wait for the consumer: nobody can say yet what is stored."""


class _LeaseLost(Exception):
    """Somebody else looks into this outage by now."""


def run() -> None:
    """One pass; cheap when no outage is open. Safe to run in several processes at once."""
    with borrowed():
        silence.look_out()
        gaps.give_up_old()
        for _part in range(MAX_PARTS):
            gap = gaps.claim_due()
            if gap is None:
                return
            look(gap)


def look(gap: CallbackGap) -> None:
    """Read the next part of the log for an outage that this process has claimed; never raises for a platform or a
    store that is away.
    """
    try:
        _read_part(gap, robots_by_id()[gap.robot_id])
    except _Busy:
        gaps.put_off(gap, BUSY_S, BUSY)
    except Deferred:
        gaps.put_off(gap, BUSY_S, NO_LEAVE)
    except (WorkToolError, LimiterError, KeyError) as error:
        gaps.note_problem(gap, error)
    except _LeaseLost:
        logger.info("recovery.lease_lost", gap=str(gap.pk))


def _read_part(gap: CallbackGap, robot: RobotSnapshot) -> None:
    since = gap.read_until or _second(gap.since - SKEW)
    end = _second(min(gap.until + SKEW, clock.now() - SETTLED))
    _refuse_while_busy(robot.id, end)
    rows, until = read(robot, since, end)
    failpoints.reach("recovery.read")
    lines = lines_of(robot.id, rows, _remarks(robot.id))
    taken_in = _take_in(gap, robot, lines, until, is_last=until >= end)
    if taken_in:
        logger.info("recovery.taken_in", robot=robot.slug, cause=gap.cause, lines=taken_in)


@transaction.atomic
def _take_in(gap: CallbackGap, robot: RobotSnapshot, lines: Sequence[LogLine], until: datetime, is_last: bool) -> int:
    """Put what is not stored into the inbox, together with how far the look has come."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [LOCK_CLASS, str(robot.id)])
    _refuse_while_busy(robot.id, until)
    windows = {robot.id: timedelta(seconds=robot.duplicate_window_s)}
    wanted = missing(lines, _stored(robot.id, lines, gap.until), until=gap.until, windows=windows)
    entries = _entries(robot.id, wanted)
    InboxEntry.objects.bulk_create(entries, ignore_conflicts=True)
    failpoints.reach("recovery.before_commit")
    held = gaps.note_read(gap, next_second=until + SECOND, is_last=is_last, found=len(lines), taken_in=len(entries))
    if not held:
        raise _LeaseLost
    return len(entries)


def _refuse_while_busy(robot_id: UUID, until: datetime) -> None:
    """Raise :class:`_Busy` while callbacks that the door took by then, or lines taken in before, are not stored yet."""
    taken_by = until + TAKEN
    stream = backlog.in_stream()
    if stream.oldest_at is not None and stream.oldest_at <= taken_by:
        raise _Busy
    if InboxEntry.objects.filter(robot_id=robot_id, received_at__lte=taken_by).exists():
        raise _Busy


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


# -- what we have ------------------------------------------------------------------------------------------------------


def _stored(robot_id: UUID, lines: Sequence[LogLine], gap_until: datetime) -> list[Stored]:
    """Return what may account for these rows, in order of time."""
    if not lines:
        return []
    span = (lines[0].at - SKEW, max(lines[-1].at, gap_until) + SKEW)
    found = Message.objects.filter(robot=robot_id, direction=Direction.IN, received_at__range=span)
    columns = ("received_at", "room__is_group", "room__name", "room__address", "sender_name", "text_type", "text")
    rows = found.order_by("received_at", "pk").values_list(*columns, "platform_id", "duplicate_of")
    return [
        Stored(at, is_group, frozenset({name, address}), sender, text_type, text, platform_id, original is not None)
        for at, is_group, name, address, sender, text_type, text, platform_id, original in rows
    ]


def _remarks(robot_id: UUID) -> list[Remark]:
    rooms = Room.objects.filter(robot=robot_id, is_group=True).exclude(remark="").values_list("pk", "name", "remark")
    people: defaultdict[UUID, set[str]] = defaultdict(set)
    heard = Conversation.objects.filter(room__in=[room[0] for room in rooms]).values_list("room", "sender_name")
    for room, sender in heard:
        people[room].add(sender)
    return [Remark(name, remark, frozenset(people[pk])) for pk, name, remark in rooms]


def _entries(robot_id: UUID, lines: Sequence[LogLine]) -> list[InboxEntry]:
    """Return inbox rows for the consumer; a line that could not be stored once is not taken in again."""
    ids = [one.line.id for one in lines]
    known: set[Any] = set(Message.objects.filter(pk__in=ids).values_list("pk", flat=True))
    known |= set(DeadLetter.objects.filter(pk__in=ids).values_list("pk", flat=True))
    return [
        InboxEntry(
            id=one.line.id,
            partition=partition_of(robot_id, one.line.room_address),
            robot_id=robot_id,
            kind=CallbackKind.BACKFILL,
            content_type="application/json",
            body=one.body,
            received_at=one.at,
        )
        for one in lines
        if one.line.id not in known
    ]
