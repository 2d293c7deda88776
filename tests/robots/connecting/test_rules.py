"""The pure parts: whose address it is, what our own address means, which names cannot be found."""

from __future__ import annotations

import pytest
from pytest_django.fixtures import Settings

from robots.connecting.addresses import Verdict, judge, shown
from robots.connecting.answers import Answer, Answers, Trouble
from robots.connecting.callback_checks import public_address
from robots.connecting.checks import CheckState
from robots.connecting.facts import Facts
from robots.connecting.naming import name_problems
from robots.connecting.platform_checks import is_key_refused
from robots.connecting.public import PublicAddress, Reach, _reach
from robots.models import Robot
from robots.services import callback_url, rotate_callback_key
from worktool_ai.lib.clock import now

AWAY = "https://worktool.invalid"
HERE = "http://127.0.0.1:8001"


@pytest.mark.parametrize(
    ("base", "reach", "problem", "ms", "state"),
    [
        (HERE, Reach.THIS_MACHINE, "", 5, CheckState.OK),
        (AWAY, Reach.THIS_MACHINE, "", 5, CheckState.PROBLEM),
        (AWAY, Reach.PRIVATE, "", 5, CheckState.PROBLEM),
        (AWAY, Reach.UNRESOLVED, "", 0, CheckState.PROBLEM),
        (AWAY, Reach.PUBLIC, "HTTP 502", 5, CheckState.PROBLEM),
        (AWAY, Reach.PUBLIC, "", 2000, CheckState.WARNING),
        (AWAY, Reach.PUBLIC, "", 5, CheckState.OK),
        (HERE, Reach.THIS_MACHINE, "HTTP 502", 5, CheckState.PROBLEM),
    ],
)
def test_what_our_public_address_means(base: str, reach: Reach, problem: str, ms: int, state: CheckState) -> None:
    public = PublicAddress("https://bot.example.com", reach, problem, ms)
    facts = Facts(robot=Robot(), answers=Answers({}), now=now(), base_url=base, public=public)
    assert public_address(facts).state == state


def test_an_address_without_tls_is_a_warning() -> None:
    public = PublicAddress("http://bot.example.com", Reach.PUBLIC, "", 5)
    facts = Facts(robot=Robot(), answers=Answers({}), now=now(), base_url=AWAY, public=public)
    assert public_address(facts).state == CheckState.WARNING


@pytest.mark.parametrize(
    ("url", "reach"),
    [
        ("http://127.0.0.1:8000", Reach.THIS_MACHINE),
        ("http://localhost:8000", Reach.THIS_MACHINE),
        ("http://10.0.0.5", Reach.PRIVATE),
        ("https://8.8.8.8", Reach.PUBLIC),
        ("https://name.invalid", Reach.UNRESOLVED),
    ],
)
def test_from_where_an_address_can_be_reached(url: str, reach: Reach) -> None:
    assert _reach(url) == reach


def test_whose_address_it_is(robot: Robot, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://bot.example.com"
    old = callback_url(robot, "message")
    in_query = f"https://bot.example.com/api/worktool/callback/message?robotId=x&key={robot.callback_key.reveal()}"
    assert judge(robot, "message", old) == judge(robot, "message", in_query) == Verdict.OURS
    assert judge(robot, "result", old) == Verdict.ELSEWHERE
    assert judge(robot, "message", old.replace("bot.", "other.")) == Verdict.ELSEWHERE
    assert judge(robot, "message", "") == Verdict.MISSING
    rotated = rotate_callback_key(robot, "test")
    assert judge(rotated, "message", old) == judge(rotated, "message", in_query) == Verdict.OLD_KEY
    again = rotate_callback_key(rotated, "test")
    assert judge(again, "message", old) == Verdict.DEAD_KEY


def test_an_address_is_shown_without_what_may_be_a_credential() -> None:
    assert shown("https://me:secret@bot.example.com/cb/Zm9v/message?key=abc") == "https://bot.example.com/…/message"
    assert shown("no address") == "…"


@pytest.mark.parametrize(
    ("name", "flags", "count"),
    [
        ("春季答疑", {}, 0),
        ("春季 答疑", {}, 1),
        ("A-1(二)群@", {}, 1),
        ("一二三四五六七八九十一二三", {"is_group": True}, 1),
        ("abcdefghijklmnopqrstuvw", {"is_group": True}, 0),
        ("3班答疑", {"is_group": True, "is_remark": True}, 1),
        ("很长的名字…", {}, 1),
    ],
)
def test_names_that_cannot_be_found(name: str, flags: dict[str, bool], count: int) -> None:
    assert len(list(name_problems(name, **flags))) == count


@pytest.mark.parametrize(
    ("code", "text", "is_key"),
    [(501012, "", True), (400, "robotKey error", True), (1, "密钥错误", True), (501011, "机器人不存在", False)],
)
def test_which_refusals_are_about_the_key(code: int, text: str, is_key: bool) -> None:
    assert is_key_refused(Answer(1.0, None, Trouble.REFUSED, code, text)) == is_key
