from __future__ import annotations

import pydantic
import pytest

from alerts.conditions.intent import IntentCondition, IntentConfig


def verdict(facts, **config):
    return IntentCondition(IntentConfig(**config)).check(facts)


def test_an_intent_or_a_topic_among_those_named_holds():
    assert verdict({"intent": "risk"}, intents=["risk", "spam"]).matched
    assert verdict({"intent": "service", "topic": "投诉处理"}, topics=["投诉处理"]).matched
    assert not verdict({"intent": "chat", "topic": None}, intents=["risk"], topics=["投诉处理"]).matched


def test_too_little_confidence_does_not_hold():
    facts = {"intent": "risk", "intentConfidence": 0.4}

    assert not verdict(facts, intents=["risk"], min_confidence=0.5).matched
    assert verdict(facts, intents=["risk"], min_confidence=0.4).matched


def test_it_says_what_it_wanted_and_found():
    found = verdict({"intent": "chat", "intentConfidence": 0.9}, intents=["risk"], min_confidence=0.5)

    assert (found.wanted, found.actual) == ("risk ≥ 0.5", "chat · - · 0.9")


def test_a_line_that_was_not_recognised_does_not_hold():
    assert not verdict({}, intents=["risk"]).matched


def test_a_condition_that_wants_nothing_is_refused():
    with pytest.raises(pydantic.ValidationError):
        IntentConfig()
