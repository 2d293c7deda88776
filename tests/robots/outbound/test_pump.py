"""The loop that claims: once per process, again at each ring, and never kept by a slow call."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from robots.pump import Found, Pump
from tests.polling import eventually


class Work:
    """Rounds to be handed out, and a gate at which slow calls wait."""

    def __init__(self) -> None:
        self.rounds: list[list[Callable[[], None]]] = []
        self.gate = threading.Event()
        self.done: list[str] = []
        self.asked = 0

    def step(self) -> Found:
        self.asked += 1
        calls = self.rounds.pop(0) if self.rounds else []
        return Found(calls, len(calls), more=bool(self.rounds))

    def slow(self) -> None:
        assert self.gate.wait(20)
        self.done.append("slow")

    def quick(self) -> None:
        self.done.append("quick")


@pytest.fixture
def work() -> Work:
    return Work()


def test_it_asks_until_nothing_is_due_and_waits_for_its_calls(work: Work) -> None:
    work.rounds = [[work.quick, work.quick], [work.quick]]
    assert Pump(work.step).run() == 3
    assert work.done == ["quick"] * 3


def test_a_slow_call_does_not_keep_what_a_ring_announces(work: Work) -> None:
    pump = Pump(work.step)
    work.rounds = [[work.slow]]
    loop = threading.Thread(target=pump.run)
    loop.start()
    eventually(lambda: work.asked == 1)
    work.rounds = [[work.quick]]
    assert pump.ring()
    eventually(lambda: work.done == ["quick"])
    work.gate.set()
    loop.join(20)
    assert work.done == ["quick", "slow"]
    assert not pump.ring()


def test_a_second_run_leaves_the_work_to_the_first(work: Work) -> None:
    pump = Pump(work.step)
    work.rounds = [[work.slow]]
    loop = threading.Thread(target=pump.run)
    loop.start()
    eventually(lambda: work.asked == 1)
    work.rounds = [[work.quick]]
    assert pump.run() == 0
    eventually(lambda: work.done == ["quick"])
    work.gate.set()
    loop.join(20)


def test_after_an_error_it_can_be_started_again(work: Work) -> None:
    def fail() -> Found:
        raise ConnectionError

    pump = Pump(fail)
    with pytest.raises(ConnectionError):
        pump.run()
    with pytest.raises(ConnectionError):
        pump.run()


def test_a_call_that_fails_takes_nobody_with_it(work: Work) -> None:
    def broken() -> None:
        raise KeyError("x")

    work.rounds = [[broken, work.quick]]
    assert Pump(work.step).run() == 2
    assert work.done == ["quick"]
