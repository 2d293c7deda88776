from __future__ import annotations

import pytest

from personas.checks import MAX_CHARS, answer_problem, tidied


@pytest.mark.parametrize("text", ["您好，退款 3 天内到账。", "在的，请说。", "OK"])
def test_ordinary_texts_pass(text):
    assert answer_problem(text) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("您好 {{userName}}", "unresolved"),
        ("您好 {{", "unresolved"),
        ("字" * (MAX_CHARS + 1), "too_long"),
        ("您的消息已被标记", "forbidden"),
        ("您的话有违规内容", "forbidden"),
    ],
)
def test_texts_that_must_not_be_sent_are_named(text, code):
    assert answer_problem(text).code == code


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<think>客户要退款\n怎么办</think>\n您好，在的。", "您好，在的。"),
        ("请到**我的订单**里申请。 ", "请到我的订单里申请。"),
        ("2 * 3 ** 2", "2 * 3 ** 2"),
    ],
)
def test_what_models_add_around_an_answer_is_taken_off(text, shown):
    assert tidied(text) == shown
