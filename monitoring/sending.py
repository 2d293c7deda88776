"""How sending stands: what is stopped, how much of the request limit is used, what waits. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from robots import pace, switches
from robots.limiter import LimiterError, Usage, limiter
from robots.models import Robot, Switch
from worktool_ai.accounts.scopes import scope_of

__all__ = ["Sending", "sending", "stops"]


@dataclass(frozen=True, slots=True)
class Sending:
    """``usage`` is of all robots together, None while Redis is away. ``wait_s``: what a new command has to expect at
    the robot that has most to do, None while the pace of one that has something to do is not known.
    """

    stops: list[Switch]
    usage: Usage | None
    commands: int
    wait_s: float | None


def stops(person: Any) -> list[Switch]:
    """Return the stops in force that concern somebody, newest first."""
    return list(switches.seen_by(scope_of(person)).filter(lifted_at=None))


def sending(person: Any) -> Sending:
    """Return how sending stands for the robots in somebody's scope."""
    robots = scope_of(person).filter(Robot.objects.filter(is_active=True), "")
    waiting = [wait for wait in pace.waits(robots).values() if wait.commands]
    seconds = [wait.seconds for wait in waiting if wait.seconds is not None]
    is_known = len(seconds) == len(waiting)
    return Sending(
        stops=stops(person),
        usage=_usage(),
        commands=sum(wait.commands for wait in waiting),
        wait_s=max(seconds, default=0.0) if is_known else None,
    )


def _usage() -> Usage | None:
    try:
        return limiter().usage()
    except LimiterError:
        return None
