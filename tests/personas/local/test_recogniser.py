"""Lines in ``lines.jsonl`` were written before the rules were fitted to them, each batch in another voice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.local.recogniser import Recogniser
from personas.local.rules import Rule, load_rules

LINES = [json.loads(line) for line in (Path(__file__).parent / "lines.jsonl").read_text("utf-8").splitlines()]

SILENT = {"chat", "unclear"}

_RECOGNISER = Recogniser(load_rules())


@pytest.fixture(scope="module")
def seeded():
    return _RECOGNISER


def _lines(wanted):
    return [(line["text"], *line["label"].partition("/")[::2]) for line in LINES if wanted(line["label"])]


def test_topics_of_fresh_lines_are_right(seeded):
    lines = _lines(lambda label: "/" in label and not label.startswith("chat"))
    wrong = [(text, topic) for text, _, topic in lines if seeded.recognise(text).topic != topic]
    assert len({topic for _, _, topic in lines}) >= 18
    assert len(wrong) <= 0.2 * len(lines), wrong


def test_chatter_stays_unanswered(seeded):
    lines = _lines(lambda label: label.startswith("chat"))
    loud = [text for text, _, _ in lines if seeded.recognise(text).intent not in SILENT]
    assert len(lines) >= 60
    assert len(loud) <= 0.1 * len(lines), loud


def test_what_must_reach_a_person_does(seeded):
    lines = _lines(lambda label: label.startswith("risk"))
    missed = [text for text, _, _ in lines if seeded.recognise(text).intent != "risk"]
    assert len(missed) <= 0.1 * len(lines), missed


def test_confidence_is_not_higher_than_the_share_of_right_answers(seeded):
    """Per band, on lines that the rules know by now: a lower bound of honesty, not a measurement."""
    claimed: dict[bool, list[float]] = {True: [], False: []}
    right: Counter[bool] = Counter()
    for text, intent, topic in _lines(lambda label: "/" in label):
        found = seeded.recognise(text)
        if found.intent != "unclear":
            sure = found.confidence >= 0.85
            claimed[sure].append(found.confidence)
            right[sure] += (found.intent, found.topic) == (intent, topic)
    for sure, confidences in claimed.items():
        assert right[sure] / len(confidences) >= sum(confidences) / len(confidences) - 0.02


@pytest.mark.parametrize(
    ("text", "intent", "topic"),
    [
        ("如何退款？", "service", "支付问题"),
        ("怎麼退錢", "service", "支付问题"),
        ("系统无法登录", "service", "账号问题"),
        ("再不退款我就去12315投诉你们", "risk", "风险提示"),
        ("不想活了", "risk", "风险提示"),
        ("你好", "chat", "问候语"),
        ("你好，请问怎么开发票", "service", "支付问题"),
        ("大家好我是新来的，请问怎么注册账号", "service", "账号问题"),
        ("笑死我了", "chat", "闲聊回复"),
        ("转人工", "help", "转人工"),
        ("", "unclear", None),
        ("😂😂😂", "unclear", None),
        ("阿巴阿巴", "unclear", None),
    ],
)
def test_ranks_of_what_was_meant(seeded, text, intent, topic):
    found = seeded.recognise(text)
    assert (found.intent, found.topic) == (intent, topic)


@pytest.mark.parametrize("text", ["笑死我了", "热死了", "这也太跳楼价了吧", "一直低电量报警", "我想死你们了"])
def test_idioms_are_no_threat(seeded, text):
    assert seeded.recognise(text).intent != "risk"


def test_why_names_what_was_found(seeded):
    found = seeded.recognise("怎么退款")
    assert "退款" in found.why
    assert "refund" in found.why


def test_an_equal_claim_of_two_topics_is_unclear():
    rules = [
        Rule(slug="a", intent="service", topic="支付问题", phrases=("苹果",)),
        Rule(slug="b", intent="service", topic="物流查询", phrases=("香蕉",)),
    ]
    found = Recogniser(rules).recognise("苹果香蕉")
    assert (found.intent, found.topic) == ("unclear", None)
    assert "难分高下" in found.why


def test_rules_that_are_off_or_excluded_say_nothing():
    rules = [
        Rule(slug="off", intent="service", topic="支付问题", phrases=("苹果",), active=False),
        Rule(slug="unless", intent="service", topic="物流查询", phrases=("香蕉",), excludes=("皮",)),
    ]
    recogniser = Recogniser(rules)
    assert recogniser.recognise("苹果").intent == "unclear"
    assert recogniser.recognise("香蕉").topic == "物流查询"
    assert recogniser.recognise("香蕉皮").intent == "unclear"


def test_a_hint_needs_a_question_and_a_counter_hint_takes_away():
    hint = Rule(slug="hint", intent="service", topic="物流查询", phrases=("快递",), weight=0.36)
    against = Rule(slug="against", intent="service", topic="物流查询", phrases=("笑话",), weight=-1)
    assert Recogniser([hint]).recognise("快递自己跑了").intent == "unclear"
    assert Recogniser([hint]).recognise("快递呢").topic == "物流查询"
    assert Recogniser([hint, against]).recognise("快递的笑话呢").intent == "unclear"


def test_an_intent_that_operators_add_counts_like_a_service():
    found = Recogniser([Rule(slug="new", intent="booking", phrases=("预约",))]).recognise("我要预约")
    assert (found.intent, found.topic) == ("booking", None)


def test_without_rules_everything_is_unclear():
    assert Recogniser([]).recognise("如何退款").intent == "unclear"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=600))
def test_any_text_is_judged(text):
    found = _RECOGNISER.recognise(text)
    assert 0.0 <= found.confidence <= 1.0
    assert found.why
