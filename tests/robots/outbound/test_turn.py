"""One process at a time looks for what may leave; who is kept from it is heard, and a dead holder keeps nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest
import redis

from robots.pump import Found, Pump
from robots.turn import TICK_S, Turn, turn_of
from tests.polling import eventually


@pytest.fixture
def turn_for(broker_redis: redis.Redis) -> Callable[[str], Turn]:
    return lambda who: Turn(broker_redis, "test", who)


def test_one_holds_it_and_may_take_it_again(turn_for: Callable[[str], Turn]) -> None:
    one, other = turn_for("one"), turn_for("other")
    assert one.take()
    assert one.take()
    assert not other.take()
    assert not one.leave() or not one.leave()
    assert other.take()


def test_who_finds_it_taken_is_heard_once(turn_for: Callable[[str], Turn]) -> None:
    one, other = turn_for("one"), turn_for("other")
    assert one.take()
    assert not one.hear()
    assert not other.take()
    assert one.hear()
    assert not one.hear()
    assert not other.take()
    assert one.leave()  # it stays with the turn: somebody has rung
    assert not one.leave()
    assert other.take()


def test_a_holder_that_shows_no_life_loses_it_and_takes_it_from_nobody(turn_for: Callable[[str], Turn]) -> None:
    gone, other = turn_for("gone"), turn_for("other")
    assert gone.take()
    assert not other.take()
    eventually(other.take, 5)
    assert (gone.hear(), gone.leave(), gone.take()) == (False, False, False)
    assert not other.leave() or not other.leave()


def test_without_its_store_nobody_is_kept() -> None:
    turn = turn_of("one", "redis://127.0.0.1:1", "test")
    assert (turn.take(), turn.hear(), turn.leave()) == (True, False, False)


class Queue:
    """What several pumps share, each as a process of its own would; a call waits at the gate."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.sent: list[tuple[str, str]] = []
        self.gate = threading.Event()

    def pump(self, turn: Turn, who: str) -> Pump:
        def step() -> Found:
            taken, self.waiting = self.waiting, []
            return Found([partial(self._send, who, one) for one in taken], len(taken))

        return Pump(step, lambda: turn, TICK_S)

    def _send(self, who: str, what: str) -> None:
        self.sent.append((who, what))
        assert self.gate.wait(20)


def test_what_another_process_announces_is_sent_by_the_one_whose_turn_it_is(turn_for: Callable[[str], Turn]) -> None:
    queue = Queue()
    first, second = (queue.pump(turn_for(who), who) for who in ("first", "second"))
    queue.waiting = ["a"]
    loop = threading.Thread(target=first.run)
    loop.start()
    eventually(lambda: queue.sent)
    queue.waiting = ["b"]
    assert second.run() == 0
    eventually(lambda: len(queue.sent) == 2, 5)
    queue.gate.set()
    loop.join(20)
    assert queue.sent == [("first", "a"), ("first", "b")]
    queue.waiting = ["c"]
    assert second.run() == 1
