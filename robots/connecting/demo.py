"""The robot of the demonstration connects itself: the simulator forgets it at each start, and nobody need click."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from robots.client import WorkToolError
from robots.connecting.binding import connect_robot, is_connected
from robots.limiter import LimiterError, limiter
from robots.models import Robot
from robots.seeds import DEMO_SLUG
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.loopback import is_loopback_url

__all__ = ["connect_demo_robots"]

logger = get_logger(__name__)

#: A connection that was seen to stand is looked at again after so long.
CHECK_EVERY_S = 60.0
#: One that could not be made is tried again ever more rarely: each try costs requests that answers need.
FIRST_WAIT_S = 2.5
MAX_WAIT_S = 300.0


@dataclass(slots=True)
class _Turn:
    """When a robot is looked at next, on the monotonic clock, and how often in a row it could not be connected."""

    next_at: float = float("-inf")
    failures: int = 0

    def note(self, connected: bool) -> None:
        self.failures = 0 if connected else self.failures + 1
        wait = CHECK_EVERY_S if connected else min(MAX_WAIT_S, FIRST_WAIT_S * 2**self.failures)
        self.next_at = time.monotonic() + wait


_turns: defaultdict[UUID, _Turn] = defaultdict(_Turn)


def connect_demo_robots() -> None:
    """Connect the seeded robot to a platform on this machine; robots that people add, they connect on the page."""
    if settings.ENVIRONMENT != "embedded" or not is_loopback_url(settings.WORKTOOL_BASE_URL):
        return
    for robot in Robot.objects.filter(is_active=True, slug=DEMO_SLUG):
        turn = _turns[robot.pk]
        if time.monotonic() >= turn.next_at:
            turn.note(_connect(robot))


def _connect(robot: Robot) -> bool:
    try:
        if not limiter().once_per(f"connect:{robot.pk}", FIRST_WAIT_S):
            return False  # another process is at it
        return is_connected(robot) or not any(step.problem for step in connect_robot(robot, actor="set-up"))
    except (WorkToolError, LimiterError) as error:
        logger.info("robot.connect_later", robot=robot.slug, error=str(error))
        return False
