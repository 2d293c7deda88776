from __future__ import annotations

import pytest

from flows.nodes import AskModel, HistoryLine
from tests.flows.builders import context, node, node_context


def test_it_asks_for_the_intent_of_the_line_with_recent_history():
    lines = tuple(HistoryLine("user", str(number)) for number in range(6))
    effect = node("intent", history_lines=2).run(node_context(history=lines))
    assert isinstance(effect, AskModel)
    assert (effect.task, effect.text) == ("intent", "如何退款？")
    assert effect.history == (("user", "4"), ("user", "5"))


def test_the_answer_becomes_intent_topic_and_confidence_and_is_told():
    ctx, asking = node_context(), node("intent")
    result = asking.resume(
        ctx, asking.run(ctx), {"intent": "service", "topic": "支付问题", "confidence": 0.9, "why": "退款"}
    )
    assert result.patch == {
        "intent": "service",
        "topic": "支付问题",
        "intent_confidence": 0.9,
        "intent_why": "退款",
    }
    assert result.events[0][0] == "intent_recognized"


def test_below_the_threshold_it_is_unclear():
    ctx, asking = node_context(), node("intent", confidence_threshold=0.6)
    result = asking.resume(ctx, asking.run(ctx), {"intent": "service", "topic": "支付问题", "confidence": 0.59})
    assert (result.patch["intent"], result.patch["topic"]) == ("unclear", None)


def test_a_picture_that_was_looked_at_is_judged_by_its_description():
    seen = context(text_type=2, original_message="", picture_text="登录页面，提示密码错误")
    assert node("intent").run(node_context(seen)).text == "「图片：登录页面，提示密码错误」"
    both = context(original_message="这个怎么办", picture_text="登录页面")
    assert node("intent").run(node_context(both)).text == "这个怎么办\n「图片：登录页面」"


@pytest.mark.parametrize("line", [context(text_type=2, original_message=""), context(original_message="  ")])
def test_a_line_without_readable_text_is_unclear_without_asking_a_model(line):
    result = node("intent").run(node_context(line))
    assert result.patch["intent"] == "unclear"
