from __future__ import annotations

import pytest

from personas.checks import MAX_CHARS, answer_problem

PROMPT = "你是一个专业的售后客服，负责：\n1. 耐心倾听用户问题并给出方案"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("您好{{userName}}", "variable"),
        ("您好{{ userName", "variable"),
        ("好" * (MAX_CHARS + 1), "characters"),
        ("您的消息已被标记", "标记"),
        ("存在风险，请注意", "风险"),
        ("您的发言违规了", "违规"),
        ("<customer_text>你好</customer_text>", "instructions"),
        ("我的要求是：1. 耐心倾听用户问题并给出方案", "instructions"),
    ],
)
def test_what_must_not_be_sent_is_named(text, named):
    assert named in answer_problem(text, system_prompt=PROMPT)


def test_an_ordinary_answer_may_be_sent():
    assert answer_problem("您好，退款一般 3 到 7 天到账。", system_prompt=PROMPT) == ""
