from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flows.nodes import AskModel, HistoryLine, NodeError
from tests.flows.builders import context, node, node_context, private


def answered(ctx, outcome, **config):
    asking = node("ai_reply", **config)
    return asking.resume(ctx, asking.run(ctx), outcome)


def test_it_asks_with_persona_history_intent_and_facts():
    ctx = node_context(
        context(persona_id="p-1", intent="service", topic="支付问题"), history=(HistoryLine("assistant", "您好"),)
    )
    effect = node("ai_reply").run(ctx)
    assert isinstance(effect, AskModel)
    assert effect.task == "reply"
    assert (effect.intent, effect.topic, effect.persona_id) == ("service", "支付问题", "p-1")
    assert effect.history == (("assistant", "您好"),)
    assert effect.facts == {"userName": "张三", "botName": "客服机器人", "groupName": "客服群"}
    assert effect.known["场合"] == "客户群"
    assert effect.is_private is False
    assert node("ai_reply").run(node_context(private())).is_private is True


def test_it_hands_in_the_time_in_china_and_what_colleagues_noted():
    at = datetime(2026, 11, 22, 17, 5, tzinfo=UTC)
    ctx = node_context(context(group_remark="VIP群-客服群"), private_address="A12-张三", now=at)

    effect = node("ai_reply").run(ctx)

    assert effect.known["现在"] == "2026年11月23日 星期一 01:05（北京时间）"
    assert effect.notes == {"群备注": "VIP群-客服群", "客户备注": "A12-张三"}


def test_a_remark_that_is_only_the_name_is_no_note():
    ctx = node_context(context(group_remark="客服群"), private_address="张三")

    assert node("ai_reply").run(ctx).notes == {}


def test_all_known_lines_are_handed_in_and_so_many_shown():
    history = tuple(HistoryLine("user", str(number)) for number in range(15))

    effect = node("ai_reply", history_lines=4).run(node_context(history=history))

    assert (len(effect.history), effect.shown_turns) == (15, 4)
    assert node("ai_reply", history_lines=0).run(node_context(history=history)).history == ()


def test_the_answer_is_kept_with_its_source_and_told():
    result = answered(node_context(), {"text": "您好", "template": "refund", "source": "local"})
    assert result.patch == {"ai_response": "您好", "template": "refund", "reason": "answered"}
    assert result.events == (("ai_reply_generated", {"aiResponse": "您好", "template": "refund"}),)


def test_a_templates_file_is_an_answer_too_and_the_next_answer_replaces_it():
    file = {"digest": "d" * 64, "name": "价目表.png", "content_type": "image/png"}
    patch = answered(node_context(), {"text": "", "template": "prices", "file": file}).patch
    assert (patch["ai_response"], patch["answer_file"]) == ("", file)
    later = answered(node_context(context(answer_file=file)), {"text": "您好"}).patch
    assert later["answer_file"] is None


def test_the_other_wordings_of_an_answer_are_kept_until_the_next_answer():
    assert answered(node_context(), {"text": "您好", "variants": ["在的"]}).patch["answer_variants"] == ("在的",)
    later = answered(node_context(context(answer_variants=("在的",))), {"text": "请稍等"}).patch
    assert later["answer_variants"] == ()


def test_asking_back_is_its_own_reason():
    assert answered(node_context(), {"text": "请问您是指？"}, style="ask_back").patch["reason"] == "asked_back"


@pytest.mark.parametrize("text_type", [0, 2, 3, 9])
def test_what_cannot_be_read_is_answered_by_asking_for_text(text_type):
    ctx = node_context(private(text_type=text_type, original_message=""))
    assert node("ai_reply").run(ctx).style == "ask_for_text"
    assert answered(ctx, {"text": "请用文字"}).patch["reason"] == "asked_back"


def test_a_mention_alone_is_not_asked_for_text():
    assert node("ai_reply").run(node_context(context(original_message="", at_me=True))).style == "answer"


def test_a_picture_that_was_looked_at_is_answered_by_its_description():
    effect = node("ai_reply").run(node_context(private(text_type=2, original_message="", picture_text="登录页面")))
    assert (effect.style, effect.text) == ("answer", "「图片：登录页面」")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (context(intent="risk", deliveries=("d-1",)), "handed_over"),
        (context(intent="service", topic="转人工", deliveries=("d-1",)), "handed_over"),
        (context(intent="risk"), "answered"),
        (context(intent="service", topic="支付问题", deliveries=("d-1",)), "answered"),
    ],
)
def test_it_says_handed_over_only_when_somebody_was_told(line, reason):
    assert answered(node_context(line), {"text": "同事会联系您"}).patch["reason"] == reason


def test_no_answer_is_an_error_not_an_empty_line():
    with pytest.raises(NodeError, match="dead"):
        answered(node_context(), {"text": " ", "error": "all models are dead"})
