"""Phones that are said to be offline while something waits for them: the platform is asked whether they still are.

An offline callback pauses the robot's queue, and the online callback that would end the pause is posted once and may
be lost. Without this the queue would stand until somebody looks.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from robots import doorbell
from robots.client import WorkToolError, platform
from robots.limiter import LimiterError, limiter
from robots.models import Command, CommandState, Robot
from robots.services import note_online
from worktool_ai.lib.db import borrowed
from worktool_ai.lib.logs import get_logger

__all__ = ["EVERY_S", "ask_paused"]

logger = get_logger(__name__)

#: Each robot at most so often, by all processes together: the question costs a request.
EVERY_S = 60.0


def ask_paused() -> int:
    """Ask about paused robots whose turn it is; returns how many are back. Does not raise for a platform that is away.

    The answer says nothing for some (worktool-api.md §6): then the robot stays paused.
    """
    waiting = Command.objects.filter(robot=OuterRef("pk"), state=CommandState.QUEUED)
    with borrowed():
        paused = list(Robot.objects.filter(Exists(waiting), is_active=True, is_online=False))
    return sum(_is_back(robot) for robot in paused)


def _is_back(robot: Robot) -> bool:
    try:
        if not limiter().once_per(f"online:{robot.pk}", EVERY_S) or not platform().online(robot):
            return False
    except (WorkToolError, LimiterError) as error:
        logger.info("presence.ask_later", robot=robot.slug, error=str(error))
        return False
    note_online(robot, True, "query")
    doorbell.ring()
    return True
