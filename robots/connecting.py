"""Telling the platform where to post: the message callback and a binding per other kind (worktool-api.md §3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest

from robots.client import WorkToolError, platform
from robots.limiter import LimiterError, limiter
from robots.models import Robot
from robots.services import Actor, callback_url
from worktool_ai.accounts import audit
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.loopback import is_loopback_url

__all__ = ["Step", "connect_demo_robots", "connect_robot", "is_connected"]

logger = get_logger(__name__)

#: The platform's callback types and our paths for them; new messages are set through ``robotInfo/update``.
BOUND = {0: "qrcode", 1: "result", 5: "online", 6: "offline"}
MESSAGE = 11
#: A connection that was seen to stand is looked at again after so long.
CHECK_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """One call of connecting. ``problem`` is empty when it worked."""

    event: str
    problem: str = ""


def connect_robot(robot: Robot, actor: Actor, request: HttpRequest | None = None) -> list[Step]:
    """Switch the message callback on and bind the others; goes on after a failure, so that all problems are named."""
    steps = [_try(event, call) for event, call in _calls(robot)]
    problems = {step.event: step.problem for step in steps if step.problem}
    audit.record(actor, "robot.connect", robot, {}, {"problems": problems}, request)
    logger.info("robot.connect", robot=robot.slug, problems=problems)
    return steps


def _calls(robot: Robot) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "message", partial(platform().update_robot_info, robot, callback_url=callback_url(robot, "message"))
    for kind, event in BOUND.items():
        yield event, partial(platform().bind, robot, kind, callback_url(robot, event))


def _try(event: str, call: Callable[[], None]) -> Step:
    try:
        if not limiter().acquire(1).granted:
            return Step(event, "the request limit is used up; try again in a minute")
        call()
    except (WorkToolError, LimiterError) as error:
        return Step(event, str(error))
    return Step(event)


def is_connected(robot: Robot) -> bool:
    """Ask the platform whether all our addresses are bound; raises the client's and the limiter's errors."""
    if not limiter().acquire(1).granted:
        return False
    bound = {(binding.kind, urlsplit(binding.url).path) for binding in platform().get_callbacks(robot)}
    wanted = {(kind, urlsplit(callback_url(robot, event)).path) for kind, event in BOUND.items()}
    wanted.add((MESSAGE, urlsplit(callback_url(robot, "message")).path))
    return wanted <= bound


_connected_at: dict[UUID, float] = {}


def connect_demo_robots() -> None:
    """Connect robots to a platform on this machine (the simulator forgets them when it restarts); nobody need click."""
    if settings.ENVIRONMENT != "embedded" or not is_loopback_url(settings.WORKTOOL_BASE_URL):
        return
    for robot in Robot.objects.filter(is_active=True):
        if time.monotonic() - _connected_at.get(robot.pk, float("-inf")) >= CHECK_EVERY_S:
            _connect_demo_robot(robot)


def _connect_demo_robot(robot: Robot) -> None:
    try:
        if limiter().once_per(f"connect:{robot.pk}", 3.0) and (is_connected(robot) or _all_done(robot)):
            _connected_at[robot.pk] = time.monotonic()
    except (WorkToolError, LimiterError) as error:
        logger.info("robot.connect_later", robot=robot.slug, error=str(error))


def _all_done(robot: Robot) -> bool:
    return not any(step.problem for step in connect_robot(robot, actor="set-up"))
