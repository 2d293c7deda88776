from __future__ import annotations

from datetime import timedelta

import pytest

from tests.flows.builders import NOW, context, node, node_context, private


def test_an_ordinary_line_goes_on_with_its_persona():
    result = node("message_receive").run(node_context())
    assert (result.port, result.patch) == ("next", {"persona_id": "p-1", "persona_type": "service"})


@pytest.mark.parametrize(
    ("line", "owner", "reason"),
    [
        (context(sender_role="staff"), "robot", "staff_line"),
        (context(sender_role="robot"), "robot", "other_robot"),
        (context(), "human", "owner_human"),
        (context(text_type=2), "robot", "unsupported_type"),
        (context(text_type=99), "robot", "unsupported_type"),
    ],
)
def test_a_line_that_is_not_ours_is_met_with_silence_and_a_reason(line, owner, reason):
    result = node("message_receive").run(node_context(line, owner=owner))
    assert result.port == "silent"
    assert result.patch["reason"] == reason
    assert result.patch["outcome"] == "silent"


@pytest.mark.parametrize("line", [private(text_type=2), context(text_type=3, at_me=True)])
def test_a_picture_meant_for_the_robot_is_not_met_with_silence(line):
    assert node("message_receive").run(node_context(line)).port == "next"


def test_a_line_that_waited_too_long_is_left_to_people_unless_configured():
    late = node_context(now=NOW + timedelta(seconds=301))
    assert node("message_receive").run(late).patch["reason"] == "stale_line"
    assert node("message_receive", drop_stale=False).run(late).port == "next"


def test_colleagues_can_be_answered_when_configured():
    assert node("message_receive", answer_staff=True).run(node_context(context(sender_role="staff"))).port == "next"
