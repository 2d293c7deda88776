"""What arrives from a robot right now: the last lines with what became of them, and the raw bodies."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import redis

from robots.connecting.checks import Text
from robots.door import raw_bodies
from robots.models import Command, CommandState, DeadLetter, Direction, Message, Robot

__all__ = ["Heard", "Probe", "Reply", "last_lines", "probe"]

LINES = 6
BODIES = 30
#: What the door notes of requests that are no callbacks of ours to understand.
HARMLESS = frozenset({"", "probe", "configuration_test"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What the robot would say, or says."""

    text: str
    state: Text
    is_draft: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """One line and what became of it. ``reason`` is empty while it is being handled."""

    line: Message
    reason: Text
    replies: list[Reply]


@dataclass(frozen=True, slots=True)
class Probe:
    """The contract probe: bodies as they came, masked, and what of them nobody understands here.

    ``is_away``: Redis is, so there are none to show.
    """

    bodies: list[raw_bodies.RawBody]
    not_understood: int
    unknown_fields: list[str]
    dead_letters: int
    is_away: bool = False


def last_lines(robot: Robot) -> list[Heard]:
    """Return the newest lines of customers, newest first."""
    lines = list(
        Message.objects.filter(robot=robot, direction=Direction.IN)
        .select_related("room")
        .order_by("-received_at", "-id")[:LINES]
    )
    replies = _replies(lines)
    return [
        Heard(line, line.get_reason_display() if line.settled_at else "", replies[line.run_id] if line.run_id else [])
        for line in lines
    ]


def _replies(lines: list[Message]) -> defaultdict[Any, list[Reply]]:
    runs = [line.run_id for line in lines if line.run_id]
    found: defaultdict[Any, list[Reply]] = defaultdict(list)
    for command in Command.objects.filter(run_id__in=runs).exclude(text="").order_by("seq"):
        draft = command.state == CommandState.DRAFT
        found[command.run_id].append(Reply(command.text, command.get_state_display(), draft))
    return found


def probe(robot: Robot) -> Probe:
    """Return the robot's newest raw bodies, and what in them was not understood."""
    unknown = _unknown_fields(robot)
    dead = DeadLetter.objects.filter(robot_id=robot.pk).count()
    try:
        bodies = [body for body in raw_bodies.latest() if body.robot == robot.slug]
    except redis.RedisError:
        return Probe([], 0, unknown, dead, is_away=True)
    not_understood = sum(body.reason not in HARMLESS for body in bodies)
    return Probe(bodies[:BODIES], not_understood, unknown, dead)


def _unknown_fields(robot: Robot) -> list[str]:
    extras = Message.objects.filter(robot=robot, direction=Direction.IN).order_by("-received_at")
    return sorted({name for extra in extras.values_list("extra", flat=True)[:50] for name in extra})
