"""A line that mentions the robot is known even where the platform leaves atMe out."""

from __future__ import annotations

import pytest
from django.db import transaction

from robots import caches
from robots.inbound.mentions import mentions
from robots.inbound.store import store_batch
from robots.models import Message
from tests.robots.inbound.builders import callback, line, make_robot

NAMES = ("小助手", "Bot A")


@pytest.mark.parametrize(
    "text", ["@小助手", "@小助手\u2005如何退款", "＠小助手 在吗", "@小助手，在吗", " @bot a\u2005hi", "@ＢＯＴ A: hi"]
)
def test_it_mentions(text: str) -> None:
    assert mentions(text, NAMES)


@pytest.mark.parametrize("text", ["", "小助手", "@", "@小助手二号 在吗", "请问 @小助手", "@张三\u2005@小助手", "@bot"])
def test_it_does_not(text: str) -> None:
    assert not mentions(text, NAMES)


def test_a_robot_without_further_names_matches_no_empty_one() -> None:
    assert not mentions("@ 在吗", ("", " "))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("at_me", "text", "expected"),
    [
        (None, "@小助手\u2005如何退款", True),
        (None, "@别名\u2005如何退款", True),
        ("", "@小助手\u2005如何退款", True),
        (None, "如何退款", False),
        ("false", "@小助手\u2005如何退款", False),
        ("true", "如何退款", True),
        (True, "如何退款", True),
    ],
)
def test_what_is_stored(at_me: object, text: str, expected: bool) -> None:
    robot = make_robot(aliases=["别名"])
    caches.forget()
    with transaction.atomic():
        (stored,) = store_batch([callback(robot.pk, line(text, atMe=at_me))]).lines
    assert stored.at_me is expected
    assert Message.objects.get().at_me is expected
