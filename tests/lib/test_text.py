from __future__ import annotations

import pytest

from worktool_ai.lib.text import bigrams, mask_id, normalise_name, shorten


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("张三", " 张三 "),
        ("ＡＢＣ群", "abc群"),
        ("客服\u200b群", "客服群"),
        ("A  B", "a b"),
        ("客服\u202c群", "客服群"),
    ],
)
def test_names_that_look_alike_are_equal(one, other):
    assert normalise_name(one) == normalise_name(other)


def test_different_names_stay_different():
    assert normalise_name("客服一群") != normalise_name("客服二群")
    assert normalise_name("AB") != normalise_name("A B")


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("如何退款？", ["如何", "何退", "退款"]),
        ("A b", ["a", "b"]),
        ("退退退", ["退退"]),
        ("", []),
        ("，。", []),
    ],
)
def test_bigrams(text, pairs):
    assert bigrams(text) == pairs


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("a\n b", 10, "a b"), ("x" * 9999, 2, "x…"), ("abc", 1, "…")],
)
def test_shorten(text, limit, short):
    assert shorten(text, limit) == short


@pytest.mark.parametrize(("value", "shown"), [("", ""), ("short", "…"), ("a12345673f", "a…3f")])
def test_mask_id(value, shown):
    assert mask_id(value) == shown
