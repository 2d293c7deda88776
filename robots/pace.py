"""How fast phones are: seconds per command, learned from what they did lately, and the wait to expect from it.

A phone does one command at a time, so a command took from its acceptance, or from the end of the one before, whichever
is later, to its own end. The median forgives a phone that was off for a while and results that came late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID

from django.db.models import Count, Q

from robots.models import Command, CommandState, Robot
from worktool_ai.lib import clock
from worktool_ai.lib.ids import first_at

__all__ = ["Wait", "learn", "seconds_per_command", "waits"]

#: What is learned from: the newest commands of a few minutes, read as one range of the primary key.
LOOK_BACK = timedelta(minutes=10)
MAX_ROWS = 2000
SAMPLES = 50
#: Fewer say nothing: the robot keeps the pace that it had.
ENOUGH = 5
#: A robot's row is written only when its pace has changed by more than this share.
NOTEWORTHY = 0.1
#: What was accepted longer ago has run, or lies on a phone that is off: it is no queue any more.
WAITS_AT_MOST = timedelta(hours=1)

_ENDED = (CommandState.DONE, CommandState.PARTIAL, CommandState.FAILED)
_OPEN = Q(state__in=[CommandState.QUEUED, CommandState.SENDING])


@dataclass(frozen=True, slots=True)
class Wait:
    """``commands`` stand before a new one; ``seconds`` is what they take, None while the pace is not known."""

    commands: int
    pace_s: float | None

    @property
    def seconds(self) -> float | None:
        return None if self.pace_s is None else round(self.commands * self.pace_s, 1)


def learn() -> int:
    """Each minute: learn the pace of robots that have done something lately; returns how many have changed."""
    times: defaultdict[UUID, list[tuple[datetime, datetime]]] = defaultdict(list)
    lately = Command.objects.filter(pk__gte=first_at(clock.now() - LOOK_BACK)).order_by("-pk")
    rows = lately.values_list("robot_id", "accepted_at", "final_at", "state")[:MAX_ROWS]
    for robot_id, accepted_at, final_at, state in rows:
        if state in _ENDED and accepted_at and final_at and len(times[robot_id]) < SAMPLES:
            times[robot_id].append((accepted_at, final_at))
    return sum(_note(robot_id, found) for robot_id, found in times.items())


def seconds_per_command(times: Iterable[tuple[datetime, datetime]]) -> float | None:
    """Return the median of what commands took, given when each was accepted and when it ended; None for too few."""
    took: list[float] = []
    free_at: datetime | None = None
    for accepted_at, final_at in sorted(times, key=lambda pair: pair[1]):
        begun = accepted_at if free_at is None else max(accepted_at, free_at)
        took.append(max(0.0, (final_at - begun).total_seconds()))
        free_at = final_at
    return median(took) if len(took) >= ENOUGH else None


def waits(robots: Iterable[Robot]) -> Mapping[UUID, Wait]:
    """Return the wait to expect at each of these robots, with one query."""
    paces = {robot.pk: robot.pace_s for robot in robots}
    accepted = Q(state=CommandState.ACCEPTED, accepted_at__gt=clock.now() - WAITS_AT_MOST)
    counted = Command.objects.filter(_OPEN | accepted, robot__in=paces).values_list("robot").annotate(Count("pk"))
    waiting = dict(counted.order_by())
    return {pk: Wait(waiting.get(pk, 0), pace) for pk, pace in paces.items()}


def _note(robot_id: UUID, times: list[tuple[datetime, datetime]]) -> bool:
    pace = seconds_per_command(times)
    if pace is None:
        return False
    pace = round(pace, 2)
    near = Q(pace_s__gte=pace * (1 - NOTEWORTHY), pace_s__lte=pace * (1 + NOTEWORTHY))
    return bool(Robot.objects.filter(pk=robot_id).exclude(near).update(pace_s=pace))
