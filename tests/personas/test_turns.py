"""Earlier lines: the newest as they are, the older ones as a summary that forgets nothing that was promised."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from personas.prompts import bounded_turns, estimate_messages
from personas.prompts.turns import SUMMARY_CHARS
from personas.types import ChatMessage

LONG = [
    ChatMessage("user", "我的订单 DD20240618001 还没收到"),
    ChatMessage("assistant", "好的，我们会在24小时内给您答复。"),
    ChatMessage("user", "花了 299 元，6月18日买的"),
    ChatMessage("assistant", "在的"),
    ChatMessage("user", "好"),
    ChatMessage("user", "那怎么退款"),
]


def test_the_newest_turns_are_shown_and_the_older_ones_summarised():
    shown, summary = bounded_turns(LONG, most=2, tokens=1000)

    assert [turn.content for turn in shown] == ["好", "那怎么退款"]
    for kept in ("更早的 4 句", "DD20240618001", "299 元", "6月18日", "我们会在24小时内给您答复", "还没收到"):
        assert kept in summary


def test_few_turns_need_no_summary():
    assert bounded_turns(LONG, most=10, tokens=1000) == (tuple(LONG), "")


def test_no_tokens_means_no_memory():
    assert bounded_turns(LONG, most=10, tokens=0) == ((), "")


roles = st.sampled_from(["user", "assistant"])
turns = st.lists(st.builds(ChatMessage, roles, st.text(max_size=700)), max_size=30)


@given(turns, st.integers(0, 20), st.integers(1, 3000))
def test_the_bounds_hold_whatever_was_said(said, most, tokens):
    shown, summary = bounded_turns(said, most, tokens)

    assert len(shown) <= most
    assert estimate_messages(shown) <= tokens
    assert len(summary) <= SUMMARY_CHARS
    assert [turn.content for turn in shown] == [turn.content[:500] for turn in said[len(said) - len(shown) :]]
    assert bool(summary) == (len(shown) < len(said))
