"""What is set at the platform: the message callback, which lines are posted, a binding per other kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from django.http import HttpRequest

from robots.bind_notes import being_bound
from robots.client import EVERYTHING, WorkToolError, platform
from robots.connecting.addresses import BOUND, MESSAGE, Verdict, judge
from robots.limiter import LimiterError
from robots.models import Robot
from robots.services import Actor, callback_url
from worktool_ai.accounts import audit
from worktool_ai.lib.crypto import UndecryptableError
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.redaction import redact

__all__ = ["Step", "bind_one", "connect_robot", "hear_everything", "is_connected", "open_callback", "set_message_url"]

logger = get_logger(__name__)

Call = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One call of connecting. ``problem`` is empty when it worked."""

    event: str
    problem: str = ""


def connect_robot(robot: Robot, actor: Actor, request: HttpRequest | None = None) -> list[Step]:
    """Switch the message callback on and bind the others; goes on after a failure, so that all problems are named."""
    return _change(robot, _calls(robot), actor, request)


def set_message_url(robot: Robot, actor: Actor, request: HttpRequest | None = None) -> list[Step]:
    """Have new lines posted to us, and the callback switched on; which lines, stays as it is."""
    url = callback_url(robot, "message")
    call = partial(platform().update_robot_info, robot, open_callback=1, callback_url=url)
    return _change(robot, [("message", call)], actor, request)


def open_callback(robot: Robot, actor: Actor, request: HttpRequest | None = None) -> list[Step]:
    """Switch the message callback on; its address stays as it is."""
    call = partial(platform().update_robot_info, robot, open_callback=1)
    return _change(robot, [("openCallback", call)], actor, request)


def hear_everything(robot: Robot, actor: Actor, request: HttpRequest | None = None) -> list[Step]:
    """Have group lines posted that do not mention the robot, too."""
    call = partial(platform().update_robot_info, robot, reply_all=EVERYTHING)
    return _change(robot, [("replyAll", call)], actor, request)


def bind_one(kind: int, robot: Robot, actor: Actor, request: HttpRequest | None = None) -> list[Step]:
    """Bind the callback of one type (0, 1, 5, 6)."""
    return _change(robot, [(BOUND[kind], partial(_bind, robot, kind))], actor, request)


def _bind(robot: Robot, kind: int) -> None:
    event = BOUND[kind]
    with being_bound(robot.pk, event):
        platform().bind(robot, kind, callback_url(robot, event))


def _calls(robot: Robot) -> Iterator[tuple[str, Call]]:
    url = callback_url(robot, "message")
    update = platform().update_robot_info
    yield "message", partial(update, robot, callback_url=url, open_callback=1, reply_all=EVERYTHING)
    for kind, event in BOUND.items():
        yield event, partial(_bind, robot, kind)


def _change(robot: Robot, calls: Iterable[tuple[str, Call]], actor: Actor, request: HttpRequest | None) -> list[Step]:
    """Make the calls; goes on after a failure."""
    # the platform's words may quote the address that it refuses, and with it the key
    steps = [replace(step, problem=_without_key(step.problem, robot)) for step in (_try(*call) for call in calls)]
    problems = {step.event: step.problem for step in steps if step.problem}
    set_ = [step.event for step in steps if not step.problem]
    audit.record(actor, "robot.connect", robot, {}, {"set": set_, "problems": problems}, request)
    logger.info("robot.connect", robot=robot.slug, set=set_, problems=problems)
    return steps


def _try(event: str, call: Call) -> Step:
    try:
        call()
    except (WorkToolError, LimiterError) as error:
        return Step(event, str(error))
    return Step(event)


def _without_key(problem: str, robot: Robot) -> str:
    try:
        return redact(problem, robot.callback_key.reveal()) if problem else ""
    except UndecryptableError:  # it could not be told to the platform either
        return problem


def is_connected(robot: Robot) -> bool:
    """Ask the platform whether all our addresses are bound; raises the client's and the limiter's errors."""
    urls = {binding.kind: binding.url for binding in platform().get_callbacks(robot)}
    events = {**BOUND, MESSAGE: "message"}
    return all(judge(robot, event, urls.get(kind, "")) == Verdict.OURS for kind, event in events.items())
