from __future__ import annotations

import pydantic
import pytest

from alerts.conditions.keyword import KeywordCondition, KeywordConfig


def verdict(text, **config):
    return KeywordCondition(KeywordConfig(**config)).check({"originalMessage": text})


@pytest.mark.parametrize("text", ["我要打12315", "打１２３１５！", "打 1 2 3 1 5", "我要打12315 🙃"])
def test_a_word_is_found_however_it_is_typed(text):
    assert verdict(text, words=["12315"]).matched


def test_traditional_characters_make_no_difference():
    assert verdict("我的訂單呢", words=["订单"]).matched


def test_all_means_all():
    assert verdict("退款不给就投诉", words=["退款", "投诉"], mode="all").matched
    assert not verdict("我要投诉", words=["退款", "投诉"], mode="all").matched


def test_an_excluded_word_keeps_it_from_holding_and_is_named():
    found = verdict("跳楼价大甩卖", words=["跳楼"], excludes=["跳楼价"])

    assert not found.matched
    assert "跳楼价" in found.actual


def test_it_says_what_it_wanted_and_found():
    found = verdict("我要起诉", words=["12315", "起诉"])

    assert (found.wanted, found.actual) == ("12315 / 起诉", "起诉")
    assert verdict("你好", words=["起诉"]).actual == "你好"


def test_words_of_signs_only_and_lines_without_text_never_hold():
    assert not verdict("！！！", words=["！"]).matched
    assert not KeywordCondition(KeywordConfig(words=["x"])).check({}).matched


def test_a_condition_without_words_is_refused():
    with pytest.raises(pydantic.ValidationError):
        KeywordConfig(words=[])
