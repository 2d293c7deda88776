"""Why what is queued for a room has not left yet, in words for people. Reads only."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from robots.equal import on_the_phone
from robots.limiter import LimiterError, Usage, limiter
from robots.models import Command, CommandState, Mode, Room
from robots.outbox_claim import HOLD_UNKNOWN, TAKING_BACK
from worktool_ai.lib import clock

__all__ = ["why_waiting"]


def why_waiting(room: Room) -> list[str]:
    """Return what keeps the room's queue, the longest reason first; empty when nothing is queued."""
    queue = Command.objects.filter(robot=room.robot_id, target=room.address, state=CommandState.QUEUED)
    waiting = list(queue.exclude(kind__in=TAKING_BACK).order_by("seq")[:100])
    if not waiting:
        return []
    count = ngettext("%(count)s command waits.", "%(count)s commands wait.", len(waiting)) % {"count": len(waiting)}
    return [count, *_reasons(room, waiting[0])]


def _reasons(room: Room, head: Command) -> Iterator[str]:
    robot, now = room.robot, clock.now()
    if not robot.is_active or robot.mode != Mode.AUTOMATIC:
        yield _("The robot does not send by itself.")
    if robot.is_online is False:
        yield _("The phone is offline. What is no longer fresh when it comes back is not sent.")
    earlier = Command.objects.filter(robot=room.robot_id, target=room.address, seq__lt=head.seq)
    if earlier.filter(state=CommandState.UNKNOWN, sending_at__gt=now - HOLD_UNKNOWN).exists():
        yield _("Whether an earlier one was sent is not known yet; it keeps its room for two minutes at most.")
    if on_the_phone(head):
        yield _("The phone has the same words already, or had them half a minute ago, and would swallow these.")
    if head.not_before and head.not_before > now:
        yield _("The last attempt did not get through; the next one follows shortly.")
    yield from _limit(head)


def _limit(head: Command) -> Iterator[str]:
    try:
        usage: Usage = limiter().usage()
    except LimiterError:
        yield _("The request limit cannot be read: nothing is sent without it.")
        return
    if usage.paused_s and head.priority:
        yield _("The platform has asked for a pause (429).")
    elif usage.used >= usage.limit - (usage.reserve if head.priority else 0):
        yield _("The request limit is used up: %(used)s of %(limit)s in a minute.") % {
            "used": usage.used,
            "limit": usage.limit,
        }
