from __future__ import annotations

import pytest

from flows.nodes import NodeError
from tests.flows.builders import context, node, node_context, private


def test_it_queues_the_answer_for_the_dispatched_target():
    line = context(ai_response="您好", target_name="客服群", at_list=("张三",))
    effect = node("send_command").run(node_context(line))
    (command,) = effect.commands
    assert (command.target, command.text, command.at_list, command.to) == ("客服群", "您好", ("张三",), "room")
    assert effect.fresh_s == 180


def test_several_targets_make_several_commands_and_only_the_first_mentions():
    line = context(ai_response="您好", at_list=("张三",), variables={"targets": ["客服群", "值班群"]})
    commands = node("send_command").run(node_context(line)).commands
    assert [(c.target, c.at_list) for c in commands] == [("客服群", ("张三",)), ("值班群", ())]


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (context(ai_response="您好"), "客服群"),
        (context(ai_response="您好", group_remark="A03"), "A03"),
        (private(ai_response="您好"), "张三"),
    ],
)
def test_without_a_dispatch_the_answer_goes_back_where_the_line_came_from(line, target):
    assert node("send_command").run(node_context(line)).commands[0].target == target


def test_a_file_follows_its_text_in_each_room_and_goes_alone_without_text():
    file = {"digest": "d" * 64, "name": "价目表.png", "content_type": "image/png"}
    line = context(ai_response="您好", answer_file=file, variables={"targets": ["客服群", "值班群"]})
    commands = node("send_command").run(node_context(line)).commands
    assert [(c.target, c.type, c.text, c.file) for c in commands] == [
        ("客服群", 203, "您好", None),
        ("客服群", 218, "价目表.png", file),
        ("值班群", 203, "您好", None),
        ("值班群", 218, "价目表.png", file),
    ]
    alone = node("send_command").run(node_context(context(ai_response="", answer_file=file))).commands
    assert [c.type for c in alone] == [218]
    fixed = node("send_command", fixed_text="稍后联系").run(node_context(line)).commands
    assert {c.type for c in fixed} == {203}


def test_other_wordings_go_along_but_not_with_a_fixed_text():
    line = context(ai_response="您好", answer_variants=["您好呀", "在的"])
    assert node("send_command").run(node_context(line)).commands[0].variants == ("您好呀", "在的")
    assert node("send_command", fixed_text="稍后联系").run(node_context(line)).commands[0].variants == ()


def test_the_queued_command_is_recorded_and_a_draft_is_called_a_draft():
    ctx = node_context(context(ai_response="您好", reason="asked_back"))
    sending = node("send_command")
    queued = sending.resume(ctx, sending.run(ctx), {"sendIds": ["s-1"], "state": "queued"})
    assert queued.patch == {
        "send_id": "s-1",
        "command_status": "pending",
        "command_detail": "queued",
        "reason": "asked_back",
    }
    draft = sending.resume(ctx, sending.run(ctx), {"sendIds": ["s-1"], "state": "draft"})
    assert draft.patch["reason"] == "draft_only"


def test_with_nothing_to_say_it_fails():
    with pytest.raises(NodeError, match="nothing to send"):
        node("send_command").run(node_context())


def test_a_fixed_text_takes_the_answers_place():
    assert node("send_command", fixed_text="稍后联系").run(node_context()).commands[0].text == "稍后联系"
