"""Silence in the hours in which lines are expected: perhaps the platform posts them to nobody."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.conf import settings
from django.db.models import Max, Q

from robots.client import CHINA
from robots.models import GapCause, Robot
from robots.recovery import gaps
from worktool_ai.lib import clock

__all__ = ["look_out"]

#: What was said longer ago is not looked for: the last look may lie a weekend back.
FURTHEST = timedelta(hours=24)


def look_out() -> None:
    """Open an outage for each watched robot that was not heard for ``CALLBACK_SILENCE_MINUTES``; once per so long."""
    now = clock.now()
    quiet_since = now - timedelta(minutes=settings.CALLBACK_SILENCE_MINUTES)
    looked = Max("gaps__until", filter=Q(gaps__cause=GapCause.SILENCE))
    watched = Robot.objects.filter(is_active=True, watch_from__isnull=False, watch_until__isnull=False)
    unheard = watched.exclude(last_callback_at__gt=quiet_since).annotate(looked_until=looked)
    for robot in unheard.filter(Q(looked_until__isnull=True) | Q(looked_until__lte=quiet_since)):
        if _is_within(now.astimezone(CHINA).time(), robot.watch_from, robot.watch_until):
            gaps.open_gap(robot, GapCause.SILENCE, _since(robot, now), now)


def _since(robot: Robot, now: datetime) -> datetime:
    """Return since when nothing was heard or looked for."""
    known = [robot.last_callback_at, getattr(robot, "looked_until", None), now - FURTHEST]
    return max(moment for moment in known if moment is not None)


def _is_within(moment: time, since: time | None, until: time | None) -> bool:
    """Tell whether a time of day lies between two others, over midnight too."""
    if since is None or until is None:
        return False
    return since <= moment < until if since <= until else moment >= since or moment < until
