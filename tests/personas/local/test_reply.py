from __future__ import annotations

import pytest

from personas.local.recogniser import Recogniser
from personas.local.reply import rank_templates
from personas.local.rules import load_rules
from templates_lib.library import Template, Variable, load_library

KNOWN = {"userName", "botName", "groupName"}


def _template(slug, **changes):
    values = {
        "category": "支付问题",
        "name": slug,
        "description": "说明",
        "body": f"{slug}的正文",
        "intents": ("service",),
    }
    return Template(slug=slug, **(values | changes))


def _choose(candidates, *, topic="支付问题", intent="service", persona="service", seed="m1", **more):
    return next(rank_templates(candidates, intent, topic, persona, seed, **more), None)


@pytest.fixture(scope="module")
def library():
    return load_library().templates


@pytest.fixture(scope="module")
def recogniser():
    return Recogniser(load_rules())


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("如何退款？", "payment-refund"),
        ("发票怎么开", "payment-invoice"),
        ("付款失败了", "payment-failed"),
        ("多扣了我一笔钱", "payment-charged"),
        ("我要改地址", "delivery-address"),
        ("快递怎么还没到", "delivery-general"),
        ("收不到验证码", "account-code"),
        ("系统无法登录", "account-login"),
        ("群里能发广告吗", "group-rules-promotion"),
        ("优惠券用不了", "offer-coupon"),
        ("多少钱", "order-price"),
        ("我要去12315投诉", "care-line-authority"),
        ("不想活了", "care-line-person"),
        ("活着真没意思", "care-line-person"),
        ("我真想从楼上跳下去", "care-line-person"),
        ("再不退钱我就起诉你们", "care-line-authority"),
        ("信不信我砸了你们店", "care-line-general"),
        ("客服电话多少", "human-contact"),
        ("杯子碎了", "after-sales-damaged"),
    ],
)
def test_the_answer_is_about_what_was_asked(library, recogniser, text, slug):
    found = recogniser.recognise(text)
    chosen = _choose(library, intent=found.intent, topic=found.topic, text=text, known=KNOWN)
    assert chosen is not None
    assert chosen.template.slug == slug


def test_a_replay_says_the_same_and_other_messages_vary(library):
    said = {seed: _choose(library, seed=seed, text="如何退款", known=KNOWN).body for seed in map(str, range(30))}
    again = {seed: _choose(library, seed=seed, text="如何退款", known=KNOWN).body for seed in map(str, range(30))}
    assert said == again
    assert len(set(said.values())) == 3


def test_order_of_candidates_does_not_matter(library):
    assert _choose(library, known=KNOWN) == _choose(tuple(reversed(library)), known=KNOWN)


def test_the_persona_decides_between_equals():
    candidates = [_template("a", persona_type="conversion"), _template("b", persona_type="service")]
    assert all(_choose(candidates, seed=str(n)).template.slug == "b" for n in range(20))


def test_a_general_answer_is_taken_unless_a_sibling_fits_better():
    candidates = [_template("x-general", name="通用"), _template("x-invoice", description="发票")]
    assert _choose(candidates, text="钱的事").template.slug == "x-general"
    assert _choose(candidates, text="发票怎么开").template.slug == "x-invoice"


def test_what_needs_an_unknown_value_is_left_out():
    name = Variable(key="phone", source="company", example="400")
    wordy = _template("wordy", body="打{{phone}}", variables=(name,), variants=("请留言",))
    assert _choose([wordy]).body == "请留言"
    assert _choose([_template("only", body="打{{phone}}", variables=(name,))]) is None
    assert {_choose([wordy], known={"phone"}, seed=str(n)).body for n in range(30)} == {"打{{phone}}", "请留言"}


def test_private_chats_get_the_private_wording():
    template = _template("a", private_body="私聊正文")
    assert _choose([template], private=True).body == "私聊正文"
    assert _choose([template]).body == "a的正文"
    assert _choose([_template("b")], private=True).body == "b的正文"


def test_without_a_topic_the_general_category_answers_by_intent(library):
    assert _choose(library, topic=None, intent="help", text="急急急", known=KNOWN).template.slug == "help-general"
    assert _choose(library, topic=None, intent="unclear", known=KNOWN).template.category == "通用回复"


def test_nothing_to_say_is_none():
    assert _choose([], topic="支付问题") is None
    assert _choose([_template("a")], topic="物流查询") is None
