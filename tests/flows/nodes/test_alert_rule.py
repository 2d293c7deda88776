from __future__ import annotations

from tests.flows.builders import context, node, node_context

RULES = [
    {"slug": "threat", "name": "威胁", "level": "critical", "code": "risk", "wanted": "w", "actual": "a"},
    {"slug": "any", "name": "任何", "level": "info", "code": "risk", "wanted": "w", "actual": "a"},
]


def test_the_most_severe_matching_rule_sets_the_level_and_every_match_is_told():
    result = node("alert_rule").run(node_context(context(alert_id="a-1", alert_level="warning"), rules=RULES))
    assert result.patch == {"alert_level": "critical", "alert_rules": ("threat", "any")}
    assert [(kind, data["rule"]) for kind, data in result.events] == [
        ("alert_rule_matched", "threat"),
        ("alert_rule_matched", "any"),
    ]


def test_without_a_match_the_alerts_own_level_stays_and_else_the_default():
    assert node("alert_rule").run(node_context(context(alert_level="info"))).patch["alert_level"] == "info"
    assert node("alert_rule", default_level="critical").run(node_context()).patch["alert_level"] == "critical"


def test_rules_that_cannot_be_judged_never_stop_the_run():
    ctx = node_context(context(alert_level="warning"))

    def broken(facts):
        raise ValueError("broken rule")

    ctx.knowledge = type(ctx.knowledge)(match_rules=broken)
    assert node("alert_rule").run(ctx).patch == {"alert_level": "warning", "alert_rules": ()}
    assert ctx.logs[0]["error"] == "broken rule"
