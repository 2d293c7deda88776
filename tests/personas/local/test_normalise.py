from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.local.normalise import MAX_CHARS, normalise


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("如何退款？", "怎么退款?"),
        ("怎麼退錢！！！", "怎么退款"),
        ("@小助手 咋登陆帐号", "怎么登录账号"),
        ("@小助手\u2005在吗", "在吗"),
        ("@所有人 明天开会", "@所有人 明天开会"),
        ("哈哈哈哈哈哈😂😂[呲牙]", "哈哈"),
        ("ＡＰＰ打不开，，，急！", "app打不开 急"),
        ("能用么", "能用吗"),
        ("这是什么", "这是什么"),
        ("1000000", "1000000"),
        ("这个呢\n「图片：物流停在杭州」", "这个呢 物流停在杭州"),
        ("   ", ""),
    ],
)
def test_ways_of_typing_become_one(typed, normal):
    assert normalise(typed) == normal


def test_spaces_between_chinese_can_be_dropped():
    assert normalise("怎么 退款 ok la", join=True) == "怎么退款 ok la"


@given(st.text(max_size=2000))
def test_any_text_is_taken_and_stays_bounded(text):
    normal = normalise(text)
    assert normal == normal.strip()
    assert len(normal) <= 20 * MAX_CHARS  # NFKC may unfold one sign into many
