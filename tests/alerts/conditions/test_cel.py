from __future__ import annotations

import pydantic
import pytest

from alerts.conditions.cel import FACTS, CelCondition, CelConfig
from flows.context import CAMEL
from worktool_ai.lib.conditions import ConditionError


def verdict(facts, expression):
    return CelCondition(CelConfig(expression=expression)).check(facts)


def test_an_expression_over_the_facts_is_judged():
    assert verdict({"intent": "risk", "isGroup": True}, 'intent == "risk" && isGroup').matched
    assert not verdict({"intent": "chat"}, 'intent == "risk" && isGroup').matched


def test_absent_facts_count_as_empty():
    assert verdict({}, 'intent == "" && intentConfidence < 0.1').matched


def test_it_says_what_it_wanted_and_found():
    found = verdict({"intent": "chat"}, "context.intent === 'risk'")

    assert found.wanted == "context.intent === 'risk'"
    assert found.actual == '{"intent": "chat"}'


@pytest.mark.parametrize("expression", ["", "intent ==", "unknown == 1", "intent", "intent > 1"])
def test_a_mistake_is_found_when_the_rule_is_saved(expression):
    with pytest.raises(pydantic.ValidationError):
        CelConfig(expression=expression)


def test_values_that_cannot_be_judged_are_an_error_not_a_silence():
    with pytest.raises(ConditionError):
        verdict({"originalMessage": "长" * 20_000}, 'originalMessage.contains("x")')


def test_every_fact_is_a_name_of_the_standard_context():
    assert set(FACTS) <= set(CAMEL.values())
