from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.local.combined import ADDRESSED, CombinedRecogniser, danger, guess
from personas.local.model import IntentModel
from personas.local.recogniser import Recogniser, decide
from personas.local.rules import Rule, fingerprint, load_rules

MODEL = IntentModel.load()
SEEDED = load_rules()
#: An example: the model learned it, no rule finds anything in it.
LEARNED, TOPIC = "忘了当初用哪个手机号弄的了，能查吗", "账号问题"
_RECOGNISER = CombinedRecogniser(SEEDED, MODEL)


@pytest.mark.parametrize(
    ("text", "intent", "topic"),
    [
        ("如何退款？", "service", "支付问题"),
        ("怎麼退錢", "service", "支付问题"),
        ("系统无法登录", "service", "账号问题"),
        ("再不退款我就去12315投诉你们", "risk", "风险提示"),
        ("不想活了", "risk", "风险提示"),
        ("你好", "chat", "问候语"),
        ("笑死我了", "chat", "闲聊回复"),
        ("转人工", "help", "转人工"),
        ("", "unclear", None),
        ("😂😂😂", "unclear", None),
        ("那个呢", "unclear", None),
    ],
)
def test_plain_lines_are_understood(text, intent, topic):
    found = _RECOGNISER.recognise(text)
    assert (found.intent, found.topic) == (intent, topic)


@pytest.mark.parametrize(
    "text",
    [
        "我要去消协投诉你们",
        "我会找律师起诉",
        "再不退钱我就报警",
        "我要找记者曝光",
        "信不信我把你店砸了",
        "我不想活了",
        "吃了你们的东西住院了",
        "孩子被你们老师打了",
    ],
)
def test_each_kind_of_danger_reaches_a_person(text):
    assert _RECOGNISER.recognise(text).intent == "risk"


@pytest.mark.parametrize(
    "text", ["没打算投诉，就是问问", "区法院坐几路车", "这把被人砍死了，队友呢", "老板要杀了我，方案还没写"]
)
def test_words_of_danger_without_any_alarm_nobody(text):
    assert _RECOGNISER.recognise(text).intent != "risk"


def test_what_is_said_to_the_company_alarms_earlier():
    rules = Recogniser(SEEDED)
    told, talked = rules.examine("你们等着吧"), rules.examine("他等着吧")
    judgement = guess(MODEL, "", told, decide(told)).judgement
    assert danger(judgement, told) == pytest.approx(danger(judgement, talked) + ADDRESSED)


def test_the_model_answers_what_no_rule_knows_and_names_its_ngrams():
    assert Recogniser(SEEDED).recognise(LEARNED).intent == "unclear"
    found = _RECOGNISER.recognise(LEARNED)
    assert (found.intent, found.topic) == ("service", TOPIC)
    assert found.why.startswith(f"模型 {TOPIC}")
    assert any(gram in LEARNED for gram in found.why.partition("← ")[2].split("、"))


def test_an_operators_rule_has_the_last_word_and_says_so():
    own = Rule(slug="own-greeting", intent="admin", phrases=("你好",), weight=3)
    assert _RECOGNISER.recognise("你好").intent == "chat"
    found = CombinedRecogniser([*SEEDED, own], MODEL).recognise("你好")
    assert found.intent == "admin"
    assert found.why.startswith("规则：")
    assert "own-greeting" in found.why


def test_what_an_operators_rule_speaks_against_is_not_answered():
    against = Rule(slug="not-here", intent="service", topic=TOPIC, phrases=("忘了当初",), weight=-5)
    found = CombinedRecogniser([*SEEDED, against], MODEL).recognise(LEARNED)
    assert found.intent == "unclear"
    assert found.why.startswith("规则反对")


def test_labels_out_of_use_are_not_answered():
    found = CombinedRecogniser(SEEDED, MODEL, labels={"chat", "问候语"}).recognise("退款多久到账")
    assert found.intent == "unclear"
    assert found.why.startswith("已停用")


def test_without_a_model_the_rules_decide_alone():
    assert CombinedRecogniser(SEEDED, None).recognise("怎么退款").topic == "支付问题"


def test_a_note_does_not_make_a_rule_an_operators_own_a_phrase_does():
    rule = SEEDED[0]
    assert fingerprint(rule.model_copy(update={"note": "x", "active": False})) == fingerprint(rule)
    assert fingerprint(rule.model_copy(update={"phrases": (*rule.phrases, "新说法")})) != fingerprint(rule)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=600))
def test_any_text_is_judged(text):
    found = _RECOGNISER.recognise(text)
    assert 0.0 <= found.confidence <= 1.0
    assert found.why
