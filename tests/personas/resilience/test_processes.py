"""What one process learns holds for the others: really other processes, over the real Redis."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from tests.personas.resilience.processes import Caller, caller
from worktool_ai.lib.ids import uuid7

PATIENCE_S = 30.0


@pytest.fixture
def several():
    """Start callers of one model."""
    with ExitStack() as exits:
        model = uuid7()
        yield lambda count, limit=None: [exits.enter_context(caller(model, limit)) for _ in range(count)]


def until_let_through(one: Caller, lease_s: float = 60.0) -> dict:
    deadline = time.monotonic() + PATIENCE_S
    while (answer := one.do("admit", lease_s))["refused"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return answer


def fail(one: Caller, times: int) -> None:
    for _ in range(times):
        assert not one.do("admit")["refused"]
        one.do("fail")


def test_failures_of_two_processes_add_up_and_both_stop(several, settings):
    settings.MODEL_BREAKER_OPEN_S = 600.0
    first, second = several(2)

    fail(first, settings.MODEL_BREAKER_MIN_CALLS - 2)
    fail(second, 2)

    assert second.do("admit")["refused"] == "breaker_open"
    deadline = time.monotonic() + PATIENCE_S
    while not first.do("admit")["refused"]:  # it believes for a second what it heard last
        assert time.monotonic() < deadline


def test_of_all_processes_one_may_try_and_its_death_leaves_nothing_half_open(several, settings):
    settings.MODEL_BREAKER_OPEN_S = 0.2
    callers = several(4)
    fail(callers[0], settings.MODEL_BREAKER_MIN_CALLS)
    prober, *others = callers[1:]
    assert until_let_through(prober, lease_s=8.0)["probe"]

    refusals = [one.do("admit")["refused"] for one in others for _ in range(5)]
    prober.kill()

    assert set(refusals) == {"breaker_open"}
    assert until_let_through(others[0])["probe"]
    others[0].do("ok")
    assert not until_let_through(others[1])["probe"]


def test_a_limit_is_shared(several):
    first, second = several(2, limit=5)

    answers = [one.do("admit")["refused"] for one in (first, second) * 4]

    assert answers == [""] * 5 + ["limit"] * 3
