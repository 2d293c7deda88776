from __future__ import annotations

import pytest

from flows.nodes import NodeError, RaiseAlert
from tests.flows.builders import context, node, node_context, private


def test_it_raises_an_alert_about_the_person_and_the_matter():
    effect = node("alert_save").run(node_context(context(intent="risk", original_message="再不退钱我就去12315")))
    assert isinstance(effect, RaiseAlert)
    assert (effect.code, effect.level) == ("risk", "critical")
    assert effect.fingerprint == "risk:c-1"
    assert effect.title == "客服群 · 张三：再不退钱我就去12315"
    assert effect.data["text"] == "再不退钱我就去12315"


@pytest.mark.parametrize(
    ("line", "code", "level"),
    [
        (context(intent="service", topic="投诉处理"), "投诉处理", "warning"),
        (context(intent="spam"), "spam", "warning"),
        (private(intent="help", topic=None), "other", "warning"),
    ],
)
def test_code_and_level_follow_intent_and_topic(line, code, level):
    effect = node("alert_save").run(node_context(line))
    assert (effect.code, effect.level) == (code, level)


def test_the_raised_alert_is_known_to_the_nodes_after_it():
    ctx, saving = node_context(context(intent="risk")), node("alert_save")
    effect = saving.run(ctx)
    result = saving.resume(ctx, effect, {"alertId": "a-1", "level": "critical", "count": 2, "isNew": False})
    assert result.patch == {
        "alert_id": "a-1",
        "alert_level": "critical",
        "alert_code": "risk",
        "alert_data": effect.data,
    }
    assert result.detail == {"count": 2, "isNew": False}


def test_an_alert_that_was_not_stored_is_an_error():
    ctx, saving = node_context(), node("alert_save")
    with pytest.raises(NodeError, match="away"):
        saving.resume(ctx, saving.run(ctx), {"error": "away"})
