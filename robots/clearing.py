"""Clearing what phones still have to do, once somebody has stopped sending (:mod:`robots.switches`).

::

    all, robot   a control command 304 per robot            its queue is emptied
    room         a control command 305 per accepted command
    afterwards   305 for what was on its way during the stop and has been accepted since

What a 304 has taken out becomes ``withdrawn_unconfirmed``, as with a 305 (:mod:`robots.withdrawal`): the phone was
told; whether in time, a result will say.
"""

from __future__ import annotations

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from robots import doorbell, transitions, withdrawal
from robots.models import Command, CommandState, Mode, Robot, Switch, SwitchScope
from robots.models.commands import Priority
from robots.transitions import Change, apply
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

__all__ = ["CLEAR_ALL", "RECALL", "TAKES_BACK", "abandon", "clear", "follow", "within"]

#: "Clear every queued command" and "recall an own message" (worktool-api.md §4.2).
CLEAR_ALL = 304
RECALL = 226
#: Commands that say nothing and only take back.
TAKES_BACK = (RECALL, CLEAR_ALL, withdrawal.CLEAR_ONE)


def clear(switch: Switch) -> int:
    """Queue the control commands of a new stop, in the caller's transaction; returns how many."""
    if switch.scope == SwitchScope.ROOM:
        return withdrawal.cancel(withdrawal.cancellable().filter(_about(switch)), switch.set_by)
    robots = Robot.objects.filter(is_active=True, mode=Mode.AUTOMATIC)
    if switch.robot_id:
        robots = robots.filter(pk=switch.robot_id)
    made = Command.objects.bulk_create([_clear_all(switch, robot) for robot in _busiest_first(robots)])
    if made:
        doorbell.ring_after_commit()
    return len(made)


def abandon(switch: Switch) -> None:
    """Withdraw what of it has not left when a stop is lifted: it would empty the queue of what comes after."""
    late = Command.objects.filter(kind=CLEAR_ALL, target=str(switch.pk), state=CommandState.QUEUED)
    transitions.withdraw(late.values_list("pk", flat=True), _("sending was resumed before it left"))


def within(switch: Switch, commands: QuerySet[Command]) -> QuerySet[Command]:
    """Narrow commands to those that a stop is about."""
    return commands.filter(_about(switch))


def follow() -> None:
    """Each second, in the caller's transaction: cancel what was accepted since, and note what clearing came to."""
    for switch in Switch.objects.filter(lifted_at=None).select_related("room"):
        late = withdrawal.cancellable().filter(_about(switch), accepted_at__gt=switch.since)
        if switch.scope != SwitchScope.ROOM:
            late = late.filter(Exists(_before_it(switch)))
        withdrawal.cancel(late, switch.set_by)
    _note_cleared()


def _note_cleared() -> None:
    told = Q(state__in=[CommandState.DONE, CommandState.PARTIAL]) | Q(
        state=CommandState.ACCEPTED, accepted_at__lt=clock.now() - withdrawal.GRACE
    )
    controls = Command.objects.filter(told, kind=CLEAR_ALL, created_at__gt=clock.now() - withdrawal.WATCHED)
    if not controls.exists():
        return
    before = controls.filter(robot=OuterRef("robot"), accepted_at__gte=OuterRef("accepted_at"))
    cleared = Command.objects.filter(Exists(before), state=CommandState.ACCEPTED).exclude(kind__in=TAKES_BACK)
    state = CommandState.WITHDRAWN_UNCONFIRMED
    apply([Change(id=pk, was=(CommandState.ACCEPTED,), state=state) for pk in cleared.values_list("pk", flat=True)])


def _before_it(switch: Switch) -> QuerySet[Command]:
    """Return the stop's 304, where it left before the command was accepted: that one may have missed it."""
    control = Command.objects.filter(robot=OuterRef("robot"), kind=CLEAR_ALL, target=str(switch.pk))
    return control.filter(sending_at__lt=OuterRef("accepted_at"))


def _about(switch: Switch) -> Q:
    if switch.scope == SwitchScope.ALL:
        return Q()
    if switch.room is None:
        return Q(robot=switch.robot_id)
    return Q(robot=switch.robot_id) & (Q(room=switch.room_id) | Q(target=switch.room.address))


def _busiest_first(robots: QuerySet[Robot]) -> QuerySet[Robot]:
    """Those whose phones have something to do come first: the request limit may not let all leave at once."""
    busy = Command.objects.filter(robot=OuterRef("pk"), state__in=[CommandState.ACCEPTED, CommandState.SENDING])
    return robots.annotate(is_busy=Exists(busy)).order_by(F("is_busy").desc(), "pk")


def _clear_all(switch: Switch, robot: Robot) -> Command:
    """Its target is its own, so it waits for no room."""
    moment = clock.now()
    return Command(
        id=uuid7(),
        robot=robot,
        kind=CLEAR_ALL,
        target=str(switch.pk),
        payload={"type": CLEAR_ALL},
        priority=Priority.ALERT,
        requested_by=switch.set_by,
        expires_at=moment + withdrawal.FRESH,
        created_at=moment,
    )
