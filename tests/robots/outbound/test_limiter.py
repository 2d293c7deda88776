"""At most LIMIT requests in any window, over all processes and endpoints."""

from __future__ import annotations

import threading
import time

import pytest
import redis
from django.db import connection
from pytest_django.fixtures import Settings

from robots import limiter as module
from robots.limiter import ONE, Limiter, Wanted, limiter
from robots.models import Egress
from worktool_ai.lib.ids import uuid7


@pytest.fixture
def log(settings: Settings, transactional_db: None) -> Limiter:
    settings.WORKTOOL_REQUEST_LIMIT = 5
    settings.WORKTOOL_REQUEST_RESERVE = 0
    settings.WORKTOOL_REQUEST_WINDOW_S = 60.0
    return limiter()


def test_no_more_than_the_limit_is_granted(log: Limiter) -> None:
    assert log.acquire(3).granted == 3
    assert log.acquire(3).granted == 2
    refused = log.acquire(1)
    assert refused.granted == 0
    assert 55 < refused.retry_after_s <= 60.25


def test_unused_leave_can_be_used_by_others(log: Limiter) -> None:
    grant = log.acquire(5)
    log.release(grant, [4, 5])
    assert log.used() == 3
    assert log.acquire(5).granted == 2


def test_the_window_slides(log: Limiter) -> None:
    assert log.acquire(5, window_s=0.3).granted == 5
    assert log.acquire(1, window_s=0.3).granted == 0
    deadline = time.monotonic() + 5
    while not log.acquire(1, window_s=0.3).granted:
        assert time.monotonic() < deadline


def test_a_late_start_counts_from_its_start(log: Limiter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLACK_S", 0.0)
    grant = log.acquire(1, window_s=0.5)
    time.sleep(0.4)
    log.starts(grant, 1, window_s=0.5)
    time.sleep(0.2)
    assert log.acquire(5, window_s=0.5).granted == 4


def test_a_pause_stops_everybody(log: Limiter) -> None:
    log.pause(30)
    assert log.acquire(1).granted == 0
    assert 29 < log.acquire(1).retry_after_s <= 30


def test_pacing_lets_one_through(log: Limiter) -> None:
    assert log.once_per("look:demo", 30)
    assert not log.once_per("look:demo", 30)
    assert log.once_per("look:other", 30)


def test_after_a_quiet_minute_the_limit_does_not_leave_within_a_second(log: Limiter, settings: Settings) -> None:
    """The platform speaks of 60 in a minute and of 20 in a second."""
    settings.WORKTOOL_REQUEST_LIMIT, settings.WORKTOOL_REQUEST_RESERVE = 50, 5
    first = log.acquire(50)
    assert first.granted == 16
    assert 0 < first.retry_after_s <= 1
    assert log.ask([Wanted(is_control=True)]).granted == 0, "the platform counts control, too"
    assert log.usage().used == 16


def test_what_a_burst_holds_back_leaves_shortly_after(log: Limiter, settings: Settings) -> None:
    settings.WORKTOOL_REQUEST_LIMIT, settings.WORKTOOL_REQUEST_RESERVE = 50, 5
    settings.WORKTOOL_REQUEST_WINDOW_S = 6.0
    granted, until = 0, time.monotonic() + 3
    while granted < 45 and time.monotonic() < until:
        grant = log.acquire(50 - granted)
        granted += grant.granted
        time.sleep(min(0.1, grant.retry_after_s))
    assert granted == 45


def test_many_at_once_never_exceed_any_window(settings: Settings, transactional_db: None) -> None:
    """Grants of concurrent callers, each stamped no earlier than it was given: no window of them holds too many."""
    settings.WORKTOOL_REQUEST_LIMIT = 20
    settings.WORKTOOL_REQUEST_RESERVE = 0
    settings.WORKTOOL_REQUEST_WINDOW_S = 0.3
    stamps: list[float] = []
    lock = threading.Lock()
    until = time.monotonic() + 1.5

    def spend() -> None:
        while time.monotonic() < until:
            before = time.monotonic()
            granted = limiter().acquire(3).granted
            with lock:
                stamps.extend([before] * granted)

    threads = [threading.Thread(target=spend) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stamps.sort()
    for position, first in enumerate(stamps):
        assert sum(1 for stamp in stamps[position:] if stamp < first + 0.3) <= 20
    assert len(stamps) >= 40


def test_the_reserve_is_for_control_only(log: Limiter, settings: Settings) -> None:
    settings.WORKTOOL_REQUEST_RESERVE = 2
    assert log.acquire(9).granted == 3
    control = log.ask([Wanted(is_control=True)] * 4)
    assert control.numbers == (1, 2)
    assert log.acquire(1).granted == 0


def test_control_passes_a_pause_and_counts(log: Limiter) -> None:
    log.pause(30)
    grant = log.ask([ONE, Wanted(is_control=True), ONE])
    assert (grant.numbers, log.used()) == ((2,), 1)
    assert 29 < grant.retry_after_s <= 30


def test_a_robot_has_a_limit_of_its_own(log: Limiter) -> None:
    one, two = uuid7(), uuid7()
    wanted = [Wanted(robot_id=one, robot_limit=2)] * 3 + [Wanted(robot_id=two)]
    grant = log.ask(wanted)
    assert grant.numbers == (1, 2, 4)
    log.release(grant, [2])
    assert log.ask(wanted).numbers == (1, 4)
    assert log.used() == 4


def test_a_lost_count_is_taken_for_a_full_one(log: Limiter, durable_redis: redis.Redis) -> None:
    """The very first start has nothing to wait for; every later one without a count has."""
    assert log.acquire(1).granted == 1
    durable_redis.flushdb()
    assert log.acquire(1, window_s=0.3).granted == 0
    assert log.ask([Wanted(is_control=True)], window_s=0.3).granted == 0
    assert log.used() == 5
    assert Egress.objects.get().lost_at
    deadline = time.monotonic() + 5
    while not log.acquire(1, window_s=0.3).granted:
        assert time.monotonic() < deadline


def test_a_fresh_start_of_many_processes_waits_for_nothing(log: Limiter) -> None:
    granted: list[int] = []

    def begin() -> None:
        granted.append(limiter().acquire(1).granted)
        connection.close()

    threads = [threading.Thread(target=begin) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert granted == [1] * 5


def test_what_is_told_of_the_limit(log: Limiter) -> None:
    log.acquire(2)
    assert str(log.usage()) == "2 of 5 requests used"
    log.pause(30)
    assert str(log.usage()) == "2 of 5 requests used, paused for 30 s after a 429"
