from __future__ import annotations

from datetime import timedelta

import pytest

from flows.nodes import AskModel
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
        (context(text_type=0, original_message=" "), "robot", "unsupported_type"),
    ],
)
def test_a_line_that_is_not_ours_is_met_with_silence_and_a_reason(line, owner, reason):
    result = node("message_receive").run(node_context(line, owner=owner))
    assert result.port == "silent"
    assert result.patch["reason"] == reason
    assert result.patch["outcome"] == "silent"


@pytest.mark.parametrize("line", [private(text_type=2), context(text_type=3, at_me=True), context(text_type=0)])
def test_what_is_meant_for_the_robot_or_can_be_read_is_not_met_with_silence(line):
    assert node("message_receive").run(node_context(line)).port == "next"


def picture(make=private, **values):
    return make(text_type=2, original_message="", file_url="media:abc", **values)


@pytest.mark.parametrize("line", [picture(), picture(context), private(original_message="这个", file_url="media:abc")])
def test_a_stored_picture_is_looked_at_by_reference_in_the_personas_voice(line):
    effect = node("message_receive", picture_timeout_s=7).run(node_context(line))
    assert isinstance(effect, AskModel)
    assert (effect.task, effect.picture, effect.persona_id, effect.persona_type, effect.timeout_s) == (
        *("picture", "media:abc", "p-1", "service", 7),
    )


@pytest.mark.parametrize(
    ("line", "outcome", "port", "patch"),
    [
        (picture(), {"text": "登录页面"}, "next", {"picture_text": "登录页面"}),
        (picture(context), {"text": "登录页面"}, "next", {"picture_text": "登录页面"}),
        (picture(), {"problem": "failed"}, "next", {"picture_problem": "failed"}),
        (picture(context, at_me=True), {"problem": "type"}, "next", {"picture_problem": "type"}),
        (
            picture(context),
            {"problem": "no_model"},
            "silent",
            {"picture_problem": "no_model", "reason": "unsupported_type", "outcome": "silent"},
        ),
        (context(file_url="media:abc"), {}, "next", {}),
    ],
)
def test_what_was_seen_goes_on_and_what_was_not_says_why(line, outcome, port, patch):
    ctx, receive = node_context(line), node("message_receive")
    result = receive.resume(ctx, receive.run(ctx), outcome)
    assert (result.port, result.patch) == (port, {"persona_id": "p-1", "persona_type": "service", **patch})


@pytest.mark.parametrize(
    ("line", "config", "problem"),
    [
        (private(text_type=2), "all", "not_delivered"),
        (picture(), "none", "not_wanted"),
        (picture(context), "addressed", "not_wanted"),
        (private(text_type=3), "all", None),
    ],
)
def test_a_picture_that_is_not_there_or_not_wanted_is_not_looked_at(line, config, problem):
    result = node("message_receive", pictures=config).run(node_context(line))
    assert result.patch.get("picture_problem") == problem


@pytest.mark.parametrize("line", [picture(), picture(context, at_me=True)])
def test_pictures_meant_for_the_robot_can_be_the_only_ones_looked_at(line):
    assert isinstance(node("message_receive", pictures="addressed").run(node_context(line)), AskModel)


@pytest.mark.parametrize(("line", "owner"), [(picture(sender_role="staff"), "robot"), (picture(), "human")])
def test_a_picture_in_a_line_that_is_not_ours_costs_nothing(line, owner):
    assert node("message_receive").run(node_context(line, owner=owner)).port == "silent"


def test_a_line_that_waited_too_long_is_left_to_people_unless_configured():
    late = node_context(now=NOW + timedelta(seconds=301))
    assert node("message_receive").run(late).patch["reason"] == "stale_line"
    assert node("message_receive", drop_stale=False).run(late).port == "next"


def test_colleagues_can_be_answered_when_configured():
    assert node("message_receive", answer_staff=True).run(node_context(context(sender_role="staff"))).port == "next"
