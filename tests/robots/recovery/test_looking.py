"""Lines said while the door was away are fetched from the platform's log: each once, in order, marked."""

from __future__ import annotations

from robots.models import CallbackGap, GapState, Message
from robots.recovery import looking
from tests.robots.recovery.conftest import Away, texts


def test_lines_of_an_outage_are_taken_in_once_and_in_order(away: Away, consume):
    said = [f"第{number}句" for number in range(12)]
    for text in said:
        away.say(text, sender="李四" if len(text) == 3 else "张三")
    away.open_gap()

    looking.run()
    lines = consume()
    assert [line.text for line in lines] == said
    assert all(line.is_backfill for line in lines)
    for _look in range(3):
        away.due()
        looking.run()
        assert consume() == []

    gap = CallbackGap.objects.get()
    assert (gap.state, gap.looks, gap.found, gap.taken_in) == (GapState.DONE, 3, 12, 12)
    assert texts() == said
    assert Message.objects.filter(is_backfill=True).count() == 12
