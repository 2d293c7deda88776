"""Redis and the process alone count by the same rules: each test runs against both."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from personas.resilience.process import ProcessGates
from personas.resilience.rules import BreakerRules, Report, Verdict, Wanted
from personas.resilience.shared import redis_gates
from worktool_ai.lib.ids import uuid7

MODEL = uuid7()
RULES = BreakerRules(window_s=60.0, min_calls=10, failure_rate=0.4, open_s=60.0, open_max_s=600.0)
#: So short that its end can be waited for.
BRIEF = BreakerRules(min_calls=2, failure_rate=0.5, open_s=0.05, open_max_s=60.0)
LONG_S = 60.0
PATIENCE_S = 20.0


@pytest.fixture(params=["redis", "process"])
def store(request):
    return redis_gates() if request.param == "redis" else ProcessGates()


def wanted(**fields) -> Wanted:
    values = {"model_id": MODEL, "capability": "chat", "token": uuid7().hex, "lease_s": LONG_S}
    return Wanted(**{**values, **fields})


def report(outcome: str, token: str = "", **fields) -> Report:
    return Report(MODEL, "chat", token, outcome, **fields)


def told(store, outcome: str, times: int, rules: BreakerRules = RULES) -> Verdict:
    verdicts: list[Verdict] = [store.report(report(outcome), rules) for _ in range(times)]
    return verdicts[-1]


def opened(store, rules: BreakerRules = BRIEF) -> None:
    assert told(store, "fail", rules.min_calls, rules).state == "open"


def probe_of(store, rules: BreakerRules = BRIEF, **fields) -> Wanted:
    """Wait until the breaker lets its probe through."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        asked = wanted(**fields)
        verdict = store.enter(asked, rules)
        if not verdict.refused:
            assert verdict.is_probe
            return asked
        time.sleep(0.01)
    raise AssertionError("no probe was let through")


def test_it_opens_at_the_least_number_of_calls_and_not_before(store):
    assert told(store, "fail", RULES.min_calls - 1).state == "closed"

    assert not store.enter(wanted(), RULES).refused
    last = told(store, "fail", 1)

    assert (last.state, last.refused) == ("open", "breaker_open")
    assert 0 < last.wait_s <= RULES.open_s
    assert store.enter(wanted(), RULES).refused == "breaker_open"


@pytest.mark.parametrize(("good", "bad", "state"), [(12, 8, "open"), (13, 7, "closed")])
def test_it_goes_by_the_share_of_failures(store, good, bad, state):
    told(store, "ok", good)

    assert told(store, "fail", bad).state == state


def test_calls_that_are_told_together_count_each(store):
    store.report(report("ok", calls=9), RULES)

    assert told(store, "fail", 5).state == "closed"
    assert told(store, "fail", 1).state == "open"


def test_what_says_nothing_about_the_model_is_not_counted(store):
    told(store, "neutral", 100)

    assert told(store, "fail", RULES.min_calls - 1).state == "closed"


def test_capabilities_have_breakers_of_their_own(store):
    opened(store, RULES)

    assert not store.enter(wanted(capability="report"), RULES).refused


def test_exactly_one_probe_passes_and_its_success_closes(store):
    opened(store)
    probe = probe_of(store)
    others = [store.enter(wanted(), BRIEF) for _ in range(20)]

    assert {(other.state, other.refused) for other in others} == {("half_open", "breaker_open")}
    assert store.report(report("ok", probe.token), BRIEF).state == "closed"
    assert not store.enter(wanted(), BRIEF).is_probe


def test_what_failed_before_it_closed_again_counts_no_more(store):
    opened(store)
    store.report(report("ok", probe_of(store).token), BRIEF)

    assert told(store, "fail", BRIEF.min_calls - 1, BRIEF).state == "closed"


def test_a_probe_that_fails_opens_for_twice_as_long(store):
    opened(store)
    again = BreakerRules(min_calls=2, failure_rate=0.5, open_s=30.0, open_max_s=50.0)

    first = store.report(report("fail", probe_of(store).token), again)

    assert first.state == "open"
    assert 40.0 < first.wait_s <= 50.0  # 60, but for the upper bound


def test_calls_that_began_before_it_opened_change_nothing(store):
    opened(store)
    probe_of(store)

    assert store.report(report("ok"), BRIEF).state == "half_open"
    assert store.report(report("fail"), BRIEF).state == "half_open"


def test_a_prober_that_died_makes_room_by_itself(store):
    opened(store)
    probe_of(store, lease_s=0.05)

    probe_of(store)


def test_a_probe_that_says_nothing_makes_room_at_once(store):
    opened(store)
    probe = probe_of(store)

    assert store.report(report("neutral", probe.token), BRIEF).refused == ""
    assert store.enter(wanted(), BRIEF).is_probe


def test_a_person_can_have_it_passed_by(store):
    opened(store, RULES)

    assert not store.enter(wanted(obeys_breaker=False), RULES).refused


def test_no_more_requests_than_the_limit(store):
    verdicts = [store.enter(wanted(request_limit=3), RULES) for _ in range(5)]

    assert [verdict.refused for verdict in verdicts] == ["", "", "", "limit", "limit"]
    assert 55.0 < verdicts[-1].wait_s <= 61.0


def test_no_more_tokens_than_the_limit_and_what_was_not_used_is_given_back(store):
    call = wanted(token_limit=1000, tokens=800)
    first = store.enter(call, RULES)
    assert store.enter(wanted(token_limit=1000, tokens=300), RULES).refused == "limit"

    store.report(report("ok", call.token, tokens_over=-600, second=first.second), RULES)

    assert not store.enter(wanted(token_limit=1000, tokens=300), RULES).refused


def test_a_call_larger_than_the_limit_waits_for_an_empty_minute_not_for_ever(store):
    assert not store.enter(wanted(token_limit=100, tokens=5000), RULES).refused
    assert store.enter(wanted(token_limit=100, tokens=1), RULES).refused == "limit"


def test_a_vendor_that_asks_to_be_left_alone_is(store):
    store.report(report("fail", pause_s=LONG_S), RULES)

    verdict = store.enter(wanted(), RULES)

    assert (verdict.state, verdict.refused) == ("closed", "paused")
    assert 50.0 < verdict.wait_s <= LONG_S
    assert store.enter(wanted(capability="report"), RULES).refused == "paused"


def test_a_limit_does_not_use_up_the_probe(store):
    opened(store)
    limited: Callable[[], Verdict] = lambda: store.enter(wanted(request_limit=1), BRIEF)  # noqa: E731
    deadline = time.monotonic() + PATIENCE_S
    while limited().refused:
        assert time.monotonic() < deadline
    store.report(report("neutral", ""), BRIEF)

    assert limited().refused in ("breaker_open", "limit")
