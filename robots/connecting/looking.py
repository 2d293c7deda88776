"""Asking the platform about a robot: few requests, inside the shared limit, each answer good for all who look."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.conf import settings

from robots.client import Client, NoLeave, Rejected, Throttled, WorkToolError, platform, take_leave
from robots.connecting.answers import FIRST, Answer, Answers, Trouble, asking, keep, stored
from robots.models import Robot
from robots.services import note_online

__all__ = ["QUERIES", "forget", "look"]

#: People wait for these answers: shorter than what a send is given.
TIMEOUT_S = 4.0
#: What brought nothing is asked again after so long, whatever its age may be otherwise.
RETRY_S = 10.0
#: Looking leaves this share of the requests to answering.
SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Query:
    """One question. Its answer is JSON, and good for ``fresh_s`` seconds."""

    ask: Callable[[Client, Robot], Any]
    fresh_s: float


#: In this order.
QUERIES: dict[str, Query] = {
    "info": Query(lambda client, robot: client.robot_info(robot).raw, 30.0),
    "bindings": Query(lambda client, robot: [[row.kind, row.url] for row in client.get_callbacks(robot)], 30.0),
    "online": Query(lambda client, robot: _told(client.online(robot)), 30.0),
    "detail": Query(lambda client, robot: client.robot_detail(robot), 3600.0),
    "online_infos": Query(lambda client, robot: client.online_infos(robot), 600.0),
    "version": Query(lambda client, robot: client.app_version(robot), 24 * 3600.0),
}


def look(robot: Robot) -> Answers:
    """Return what the platform says; asks what has grown old, unless somebody else is at it. Raises
    ``redis.RedisError`` when Redis is away: without the limiter nothing may be asked.
    """
    answers = stored(robot.pk)
    if not _due(answers):
        return answers
    with asking(robot.pk) as mine:
        return _ask(robot, stored(robot.pk)) if mine else answers


def forget(robot: Robot, *names: str) -> None:
    """Have these queries asked anew at the next look."""
    keep(robot.pk, stored(robot.pk).expired(*names))


def _ask(robot: Robot, answers: Answers) -> Answers:
    leave = partial(take_leave, limit=int(settings.WORKTOOL_REQUEST_LIMIT * SHARE))
    client = platform(leave, timeout_s=min(TIMEOUT_S, settings.WORKTOOL_TIMEOUT_S))
    for name in _due(answers):
        answer = _one(client, robot, name, answers.of(name))
        answers = answers.with_row(name, answer)
        if answer.trouble and (name == FIRST or answer.trouble != Trouble.REFUSED):
            break
    keep(robot.pk, answers)
    if answers.online is not None:
        note_online(robot, answers.online, "query")
    return answers


def _due(answers: Answers) -> list[str]:
    """Return what is to be asked now; only the first while that one is in trouble."""
    now = time.time()
    due = [name for name, query in QUERIES.items() if _is_due(answers.of(name), query, now)]
    return due if FIRST in due or not answers.of(FIRST).trouble else []


def _is_due(answer: Answer, query: Query, now: float) -> bool:
    return now - answer.at >= (min(RETRY_S, query.fresh_s) if answer.trouble else query.fresh_s)


def _one(client: Client, robot: Robot, name: str, before: Answer) -> Answer:
    failed = replace(before, at=time.time(), code=0, text="")
    try:
        return Answer(time.time(), QUERIES[name].ask(client, robot))
    except Rejected as error:
        return replace(failed, trouble=Trouble.REFUSED, code=error.code, text=error.message)
    except Throttled:
        return replace(failed, trouble=Trouble.THROTTLED)
    except NoLeave:
        return replace(failed, trouble=Trouble.LIMIT)
    except WorkToolError as error:
        return replace(failed, trouble=Trouble.NO_ANSWER, text=str(error))


def _told(online: bool | None) -> bool | str:
    """A platform that answers without saying so has answered."""
    return "" if online is None else online
