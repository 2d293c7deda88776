from __future__ import annotations

from uuid import uuid4

import pytest

from alerts import caches, seeds
from alerts.conditions import Condition
from alerts.conditions.intent import IntentCondition, IntentConfig
from alerts.matching import judge, match
from alerts.models import AlertRule
from alerts.types import RuleSnapshot


def rule(slug, condition, **fields):
    values = {"id": uuid4(), "slug": slug, "name": slug, "code": slug, "level": "warning", "cooldown_s": 300}
    return RuleSnapshot(**{**values, "condition": condition, **fields})


RISK = IntentCondition(IntentConfig(intents=("risk",)))


class Broken(Condition):
    """Always fails."""

    def check(self, facts):
        raise RuntimeError("boom")


def test_matching_rules_come_in_order_with_whom_to_tell():
    channel = uuid4()
    rules = [rule("a", RISK, channel_ids=(channel,)), rule("b", IntentCondition(IntentConfig(intents=("spam",))))]

    (found,) = match(rules, {"intent": "risk"})

    assert (found.slug, found.channel_ids, found.verdict.matched) == ("a", (channel,), True)
    assert found.to_json()["channelIds"] == [str(channel)]


def test_a_broken_rule_does_not_block_the_others_and_says_why():
    rules = [rule("a", Broken(None)), rule("b", None, error="unknown condition"), rule("c", RISK)]

    judged = judge(rules, {"intent": "risk"})

    assert [found.verdict.matched for found in judged] == [False, False, True]
    assert "boom" in judged[0].error
    assert judged[1].error == "unknown condition"
    assert [found.slug for found in match(rules, {"intent": "risk"})] == ["c"]


@pytest.mark.django_db
class TestRows:
    @pytest.fixture(autouse=True)
    def _seeded(self):
        seeds.seed()

    @pytest.mark.parametrize(
        ("facts", "slugs"),
        [
            ({"intent": "risk", "originalMessage": "给我等着"}, ["risk-intent"]),
            ({"intent": "unclear", "originalMessage": "我不想活了"}, ["risk-self-harm-words"]),
            ({"intent": "risk", "originalMessage": "我要打12315"}, ["risk-intent", "risk-authority-words"]),
            ({"intent": "service", "topic": "投诉处理", "originalMessage": "我要投诉"}, ["complaint"]),
            ({"intent": "spam", "intentConfidence": 0.9, "originalMessage": "日结兼职"}, ["spam"]),
            ({"intent": "service", "originalMessage": "如何退款"}, []),
            ({"intent": "chat", "originalMessage": "跳楼价，快来"}, []),
        ],
    )
    def test_the_seeded_rules_notice_what_matters(self, facts, slugs):
        assert [found.slug for found in match(caches.rules(), facts)] == slugs

    def test_every_seeded_rule_can_be_judged(self):
        assert [found.error for found in judge(caches.rules(), {}) if found.error] == []

    def test_a_rule_whose_fields_no_longer_fit_says_so(self):
        AlertRule.objects.filter(slug="complaint").update(config={"nonsense": 1})
        AlertRule.objects.filter(slug="spam").update(condition="gone")
        caches.clear()

        errors = {found.slug: found.error for found in judge(caches.rules(), {}) if found.error}

        assert set(errors) == {"complaint", "spam"}
        assert "gone" in errors["spam"]

    def test_a_rule_that_is_off_is_not_judged(self):
        AlertRule.objects.update(is_active=False)
        caches.clear()

        assert caches.rules() == ()
