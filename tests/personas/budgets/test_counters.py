"""What Redis does in one step: holds on all lines or none, settles once, forgets what expired."""

from __future__ import annotations

import time

import pytest
import redis

from personas.budgets.counters import Counters, Line, Standing, Unknown
from worktool_ai.lib.ids import uuid7

DAY = Line("all:-:day", "2026-11-22", 100)
MONTH = Line("all:-:month", "2026-11", 1000)


@pytest.fixture
def known(counters: Counters) -> Counters:
    for line in (DAY, MONTH):
        counters.counted(line, 0)
    return counters


def test_a_counter_that_nobody_knows_is_not_taken_for_zero(counters: Counters) -> None:
    counters.counted(DAY, 0)
    with pytest.raises(Unknown):
        counters.reserve(uuid7(), 5, 60, [DAY, MONTH])
    with pytest.raises(Unknown):
        counters.settle(uuid7(), 5, 5, [DAY, MONTH])
    counters.counted(MONTH, 7)
    assert counters.standings([DAY, MONTH]) == [Standing(0, 0), Standing(7, 0)]


def test_a_call_starts_while_something_is_left_and_holds_all_or_nothing(known: Counters) -> None:
    first, second = uuid7(), uuid7()
    assert known.reserve(first, 99, 60, [DAY, MONTH])[0] == 0
    assert known.reserve(second, 99, 60, [DAY, MONTH])[0] == 0
    full, standings = known.reserve(uuid7(), 99, 60, [MONTH, DAY])
    assert (full, standings) == (2, [Standing(0, 198), Standing(0, 198)])
    assert known.settle(first, 99, 40, [DAY, MONTH]) == [40, 40]
    assert known.settle(second, 99, 40, [DAY, MONTH]) == [80, 80]
    assert known.standings([DAY, MONTH]) == [Standing(80, 0), Standing(80, 0)]


def test_a_hold_is_given_back_once(known: Counters) -> None:
    call = uuid7()
    known.reserve(call, 60, 60, [DAY])
    known.reserve(uuid7(), 60, 60, [DAY])
    for _ in range(2):
        known.settle(call, 60, 0, [DAY])
    assert known.standings([DAY]) == [Standing(0, 60)]


def test_the_hold_of_a_dead_process_expires(known: Counters) -> None:
    dead = uuid7()
    known.reserve(dead, 100, 0.2, [DAY])
    assert known.reserve(uuid7(), 1, 60, [DAY])[0] == 1
    deadline = time.monotonic() + 10
    while known.reserve(uuid7(), 0, 60, [DAY])[0]:
        assert time.monotonic() < deadline
    assert known.standings([DAY]) == [Standing(0, 0)]
    # it was only slow: what it has cost counts all the same
    assert known.settle(dead, 100, 30, [DAY]) == [30]
    assert known.standings([DAY]) == [Standing(30, 0)]


def test_with_the_next_period_the_counter_starts_anew_and_calls_on_their_way_stay_held(known: Counters) -> None:
    call, tomorrow = uuid7(), Line(DAY.name, "2026-11-23", 100)
    known.counted(DAY, 90)
    known.reserve(call, 50, 60, [DAY])
    assert known.reserve(uuid7(), 1, 60, [DAY])[0] == 1
    assert known.standings([tomorrow]) == [Standing(0, 50)]
    assert known.settle(call, 50, 20, [tomorrow]) == [20]
    # a process whose clock is behind does not bring yesterday back
    assert known.settle(uuid7(), 0, 70, [DAY]) == [20]
    known.counted(DAY, 99)
    assert known.standings([tomorrow]) == [Standing(20, 0)]


def test_counting_from_rows_only_raises(known: Counters) -> None:
    known.settle(uuid7(), 0, 50, [DAY])
    known.counted(DAY, 40)
    assert known.standings([DAY])[0].spent == 50
    known.counted(DAY, 60)
    assert known.standings([DAY])[0].spent == 60
    known.forget(DAY.name)
    with pytest.raises(Unknown):
        known.standings([DAY])


def test_amounts_beyond_nine_digits_stay_exact(known: Counters) -> None:
    large = Line("all:-:day", "2026-11-22", 999_999_999_990_000)
    call = uuid7()
    known.reserve(call, 999_999_000_001, 60, [large])
    assert known.settle(call, 999_999_000_001, 999_998_999_999_999, [large]) == [999_998_999_999_999]
    assert known.standings([large]) == [Standing(999_998_999_999_999, 0)]


def test_holds_of_a_counter_that_was_lost_are_not_given_back_to_the_new_one(
    known: Counters, broker_redis: redis.Redis
) -> None:
    call = uuid7()
    known.reserve(call, 60, 60, [DAY])
    broker_redis.delete(*[key for key in broker_redis.scan_iter() if not key.endswith(b":holds")])
    known.counted(DAY, 10)
    assert known.settle(call, 60, 20, [DAY]) == [30]
    assert known.standings([DAY]) == [Standing(30, 0)]
