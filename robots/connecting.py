"""Telling the platform where to post: the message callback and a binding per other kind (worktool-api.md §3)."""

from __future__ import annotations

import time
from collections import defaultdict
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
#: One that could not be made is tried again ever more rarely: each try costs requests that answers need.
FIRST_WAIT_S = 2.5
MAX_WAIT_S = 300.0


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
    urls = {binding.kind: binding.url for binding in platform().get_callbacks(robot)}
    return all(_is_ours(robot, event, urls.get(kind, "")) for kind, event in {**BOUND, MESSAGE: "message"}.items())


def _is_ours(robot: Robot, event: str, url: str) -> bool:
    """Tell whether an address is ours for this event, in either form: key in the path, or in the query."""
    path = urlsplit(url).path
    return path.endswith(f"/{event}") and robot.callback_key.reveal() in url


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
    """Connect robots to a platform on this machine (the simulator forgets them when it restarts); nobody need click."""
    if settings.ENVIRONMENT != "embedded" or not is_loopback_url(settings.WORKTOOL_BASE_URL):
        return
    for robot in Robot.objects.filter(is_active=True):
        turn = _turns[robot.pk]
        if time.monotonic() >= turn.next_at:
            turn.note(_connect_demo_robot(robot))


def _connect_demo_robot(robot: Robot) -> bool:
    try:
        if not limiter().once_per(f"connect:{robot.pk}", FIRST_WAIT_S):
            return False  # another process is at it
        return is_connected(robot) or not any(step.problem for step in connect_robot(robot, actor="set-up"))
    except (WorkToolError, LimiterError) as error:
        logger.info("robot.connect_later", robot=robot.slug, error=str(error))
        return False
