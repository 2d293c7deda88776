"""What is known when a robot is examined: the platform's answers, our own address, what has arrived."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import redis
from django.conf import settings

from robots.connecting.answers import Answers, stored
from robots.connecting.looking import look
from robots.connecting.naming import name_problems
from robots.connecting.public import PublicAddress, look_at_ourselves
from robots.door import raw_bodies
from robots.models import OnlineChange, Robot, Room
from worktool_ai.lib import clock
from worktool_ai.lib.loopback import is_loopback_url

__all__ = ["Facts", "RiskyName", "gather"]

NAMES_LOOKED_AT = 500
CHANGES_SHOWN = 5
#: What the door notes of the platform's own calls when an address is set there.
TESTS = frozenset({"probe", "configuration_test"})


@dataclass(frozen=True, slots=True)
class RiskyName:
    """A group that the phone may not find, and why."""

    name: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the checks look at; they ask nobody themselves."""

    robot: Robot
    answers: Answers
    now: datetime
    base_url: str = ""
    public: PublicAddress | None = None
    changes: list[OnlineChange] = field(default_factory=list)
    risky_names: list[RiskyName] = field(default_factory=list)
    tested_at: datetime | None = None
    strangers: int = 0

    @property
    def is_local(self) -> bool:
        """Whether the platform runs on this machine: then our address may, too."""
        return is_loopback_url(self.base_url)


def gather(robot: Robot, *, ask: bool) -> Facts:
    """Collect the facts. With ``ask`` the platform is asked what has grown old, and our own address tried. Raises
    ``redis.RedisError`` when Redis is away.
    """
    answers = look(robot) if ask else stored(robot.pk)
    public = look_at_ourselves() if ask else None
    robot.refresh_from_db(fields=["is_online", "last_callback_at"])
    tested_at, strangers = _at_the_door(robot)
    return Facts(
        robot=robot,
        answers=answers,
        now=clock.now(),
        base_url=settings.WORKTOOL_BASE_URL,
        public=public,
        changes=list(robot.online_changes.all()[:CHANGES_SHOWN]),
        risky_names=_risky_names(robot),
        tested_at=tested_at,
        strangers=strangers,
    )


def _at_the_door(robot: Robot) -> tuple[datetime | None, int]:
    """Return when the platform last tried our address, and how many requests named no robot of ours."""
    try:
        bodies = raw_bodies.latest()
    except redis.RedisError:
        return None, 0
    tests = [body.at for body in bodies if body.robot == robot.slug and body.reason in TESTS]
    return max(tests, default=None), sum(body.reason == "robot_or_key" for body in bodies)


def _risky_names(robot: Robot) -> list[RiskyName]:
    rooms = Room.objects.filter(robot=robot, is_group=True).order_by("-created_at")[:NAMES_LOOKED_AT]
    found = []
    for room in rooms:
        problems = name_problems(room.address, is_group=True, is_remark=bool(room.remark))
        if texts := tuple(str(problem) for problem in problems):
            found.append(RiskyName(room.address, texts))
    return found
