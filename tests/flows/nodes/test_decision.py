from __future__ import annotations

import pytest

from flows.seeds import standard_graph
from tests.flows.builders import context, node, node_context, private


def seeded():
    (found,) = [item for item in standard_graph()["nodes"] if item["type"] == "decision"]
    return node("decision", **found["config"])


@pytest.mark.parametrize(
    ("line", "port", "reason"),
    [
        (context(intent="service", topic="支付问题"), "standard", None),
        (context(intent="risk"), "alert", None),
        (context(intent="spam"), "alert", None),
        (context(intent="service", topic="投诉处理"), "alert", None),
        (context(intent="help", topic="转人工"), "alert", None),
        (context(intent="chat"), "silent", "chatter"),
        (context(intent="unclear"), "silent", "not_mentioned"),
        (context(intent="chat", at_me=True), "standard", None),
        (context(intent="unclear", at_me=True), "unclear", None),
        (private(intent="chat"), "standard", None),
        (private(intent="unclear"), "unclear", None),
        (context(intent="conversion"), "standard", None),
    ],
)
def test_the_seeded_rules_have_four_ways(line, port, reason):
    result = seeded().run(node_context(line))
    assert (result.port, result.patch.get("reason")) == (port, reason)


def test_it_says_what_each_rule_wanted_and_found():
    result = node(
        "decision", rules=[{"port": "a", "label": "退款", "condition": "intent == 'risk'"}], default_port="b"
    ).run(node_context(context(intent="service")))
    assert result.port == "b"
    assert result.detail["tried"] == [
        {"rule": "退款", "matched": False, "wanted": "intent == 'risk'", "actual": {"intent": "service"}}
    ]


def test_the_first_rule_that_holds_wins():
    rules = [{"port": "a", "condition": "isGroup"}, {"port": "b", "condition": "isGroup"}]
    assert node("decision", rules=rules).run(node_context()).port == "a"


def test_a_rule_that_breaks_on_the_values_does_not_hold_and_is_logged():
    rules = [{"port": "a", "label": "teilt", "condition": "roomType / (roomType - 1) == 1"}]
    ctx = node_context()
    result = node("decision", rules=rules).run(ctx)
    assert result.port == "default"
    assert ctx.logs


def test_its_ports_are_those_of_its_rules_and_the_default():
    decision = node("decision", rules=[{"port": "a", "condition": "atMe"}, {"port": "a", "condition": "isGroup"}])
    assert decision.ports_for(decision.config) == ("a", "default")
