"""The kill switch: stopping and resuming what robots send, everywhere, for one robot or in one room.

::

    stop      the outbox claims nothing there any more, and what the phone has is cleared (304 for robots, 305 for a
              room's commands): one transaction. Then what is queued there is withdrawn, part by part
    in force  lines that come are stored with their reason and not answered
    resume    from the next line on; what came or was being answered before is not answered any more

Calls that are on their way when somebody stops are made to their end: the phone is told to forget them afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from robots import clearing, doorbell, transitions
from robots.models import Command, CommandState, Robot, Room, Switch, SwitchScope
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, User
from worktool_ai.accounts.scopes import Scope
from worktool_ai.lib import clock
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.db import borrowed
from worktool_ai.lib.ids import first_at

__all__ = [
    "STOPPED",
    "AlreadyStopped",
    "Stop",
    "forget",
    "in_force_for",
    "is_stopped",
    "resume",
    "seen_by",
    "stop",
    "was_stopped",
    "what_stopped",
]

Actor = User | ApiKey | str

#: What only takes back is sent all the same.
EXEMPT = clearing.TAKES_BACK
#: So long after it was lifted a stop still keeps old answers back; no run is answered later than that.
REMEMBERED = timedelta(hours=1)
#: So many commands are withdrawn in one transaction.
AT_ONCE = 500

#: SQL, over ``command``: whether it may not leave because of a stop in force, or of one that was lifted after its run
#: began. ``%(now)s`` is the present.
STOPPED = f"""(command.kind NOT IN {EXEMPT} AND EXISTS (
    SELECT FROM {Switch._meta.db_table} AS stop LEFT JOIN {Room._meta.db_table} AS place ON place.id = stop.room_id
    WHERE (stop.scope = '{SwitchScope.ALL}' OR stop.robot_id = command.robot_id AND (
            stop.scope = '{SwitchScope.ROBOT}' OR place.id = command.room_id OR place.address = command.target))
      AND (stop.lifted_at IS NULL OR stop.lifted_at > %(now)s::timestamptz - interval '1 hour'
           AND (command.run_id < stop.lifted_mark
                OR command.created_at BETWEEN stop.since AND stop.lifted_at))
    OFFSET 0))"""


class AlreadyStopped(Exception):
    """Sending is stopped there already; ``switch`` is the stop in force."""

    def __init__(self, switch: Switch) -> None:
        super().__init__(str(switch))
        self.switch = switch


# -- stopping and resuming ---------------------------------------------------------------------------------------------


def stop(
    scope: str,
    why: str,
    actor: Actor,
    *,
    robot: Robot | None = None,
    room: Room | None = None,
    request: HttpRequest | None = None,
) -> Switch:
    """Stop sending; raises :class:`AlreadyStopped`. ``why`` is shown to everybody who meets the stop.

    Nothing leaves there but calls that are on their way from the moment the row is committed, however long the queue is
    that is withdrawn after it; should this process end meanwhile, the outbox withdraws the rest (``close_overdue``).
    """
    row = Switch(scope=scope, robot=robot, room=room, why=why, since=clock.now(), set_by=audit.actor_name(actor))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            after = {"scope": scope, "why": why, "queued": _queued(row).count(), "cleared": clearing.clear(row)}
            audit.record(actor, "sending.stop", row, {}, after, request)
    except IntegrityError:
        raise AlreadyStopped(Switch.objects.get(scope=scope, robot=robot, room=room, lifted_at=None)) from None
    forget()
    _withdraw(row)
    return row


def resume(switch_id: UUID, actor: Actor, request: HttpRequest | None = None) -> bool:
    """Lift a stop; false when it was lifted before. Another stop may still hold the same robots."""
    with transaction.atomic():
        row = Switch.objects.select_for_update(of=("self",)).get(pk=switch_id)
        if not row.is_in_force:
            return False
        row.lifted_at, row.lifted_by = clock.now(), audit.actor_name(actor)
        row.lifted_mark = first_at(row.lifted_at + timedelta(milliseconds=1))
        row.save(update_fields=["lifted_at", "lifted_by", "lifted_mark"])
        clearing.abandon(row)
        audit.record(actor, "sending.resume", row, {"since": row.since, "why": row.why}, {}, request)
        doorbell.ring_after_commit()
    forget()
    return True


def _queued(switch: Switch) -> QuerySet[Command]:
    queued = Command.objects.filter(state=CommandState.QUEUED).exclude(kind__in=EXEMPT)
    return clearing.within(switch, queued).order_by("seq")


def _withdraw(switch: Switch) -> None:
    """Withdraw what is queued, and note how much has been since the stop: the outbox works on the same queue."""
    ids, why = list(_queued(switch).values_list("pk", flat=True)), what_stopped(switch.set_by, switch.why)
    for start in range(0, len(ids), AT_ONCE):
        with transaction.atomic():
            transitions.withdraw(ids[start : start + AT_ONCE], why)
    since = Command.objects.filter(state=CommandState.WITHDRAWN, final_at__gte=switch.since)
    switch.withdrawn = clearing.within(switch, since).count()
    switch.save(update_fields=["withdrawn"])


def what_stopped(who: str = "", why: str = "") -> str:
    """Say in a command's error why it did not leave."""
    if not who:
        return _("sending is stopped")
    return _("%(who)s has stopped sending: %(why)s") % {"who": who, "why": why}


def in_force_for(robot: Robot, room: Room | None = None) -> QuerySet[Switch]:
    """Return the stops that hold a robot, or one of its rooms, now."""
    about = Q(scope=SwitchScope.ALL) | Q(scope=SwitchScope.ROBOT, robot=robot)
    if room is not None:
        about |= Q(scope=SwitchScope.ROOM, room=room)
    return Switch.objects.filter(about, lifted_at=None)


def seen_by(scope: Scope) -> QuerySet[Switch]:
    """Return the stops that concern somebody of this scope, lifted ones too: that of all robots concerns everybody."""
    rows = Switch.objects.select_related("robot", "room")
    return rows if scope.is_everywhere else rows.filter(scope=SwitchScope.ALL) | scope.filter(rows, "robot")


# -- the hot path's copy -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop as every process remembers it, at most two seconds behind the database."""

    scope: str
    robot_id: UUID | None
    room_id: UUID | None
    address: str
    since: datetime
    lifted_at: datetime | None

    def is_about(self, robot_id: UUID, room_id: UUID | None, address: str) -> bool:
        if self.scope == SwitchScope.ALL:
            return True
        if self.robot_id != robot_id:
            return False
        return self.scope == SwitchScope.ROBOT or room_id == self.room_id or address == self.address


def is_stopped(robot_id: UUID, kind: int, address: str) -> bool:
    """Tell whether a command may not leave now."""
    if kind in EXEMPT:
        return False
    return any(stop.lifted_at is None and stop.is_about(robot_id, None, address) for stop in _cache.get())


def was_stopped(robot_id: UUID, room_id: UUID, at: datetime) -> bool:
    """Tell whether a line that came at that time came while sending was stopped there."""
    return any(
        stop.since <= at and (stop.lifted_at is None or at < stop.lifted_at) and stop.is_about(robot_id, room_id, "")
        for stop in _cache.get()
    )


def forget() -> None:
    """Read them anew at the next look, in this process."""
    _cache.clear()


def _load() -> Sequence[Stop]:
    remembered = Q(lifted_at=None) | Q(lifted_at__gt=clock.now() - REMEMBERED)
    with borrowed():
        rows = Switch.objects.filter(remembered).select_related("room")
        return tuple(
            Stop(row.scope, row.robot_id, row.room_id, row.room.address if row.room else "", row.since, row.lifted_at)
            for row in rows
        )


_cache = VersionedCache(_load, Switch)
