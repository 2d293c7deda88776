"""Ringing reaches the broker, and costs nearly nothing while there is none."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import Celery
from django.conf import settings

import worktool_ai.celery
from worktool_ai.lib import doorbell


@pytest.fixture(autouse=True)
def heard_again(monkeypatch) -> None:
    monkeypatch.setattr(doorbell._Silence, "until", float("-inf"))


@pytest.fixture
def mute_broker() -> Iterator[socket.socket]:
    """A broker that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        app = Celery("mute", broker=f"redis://127.0.0.1:{server.getsockname()[1]}/0", set_as_current=False)
        app.set_current()
        try:
            yield server
        finally:
            worktool_ai.celery.app.set_current()


def queued(broker_redis) -> list[dict]:
    key = f"{settings.REDIS_PREFIX}:{settings.CELERY_TASK_DEFAULT_QUEUE}"
    return [json.loads(item)["headers"] for item in broker_redis.lrange(key, 0, -1)]


def test_a_worker_finds_the_task_with_its_arguments(broker_redis):
    doorbell.ring("flows.advance", 7)
    [headers] = queued(broker_redis)
    assert headers["task"] == "flows.advance"
    assert headers["argsrepr"] == "(7,)"
    assert headers["expires"], "a doorbell that nobody heard must not be answered later"


def test_it_rings_from_any_thread(broker_redis):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(doorbell.ring, "flows.advance", 1).result()
    assert len(queued(broker_redis)) == 1


def test_a_broker_that_hangs_is_not_waited_for(mute_broker):
    began = time.monotonic()
    doorbell.ring("flows.advance", 1)
    # far below the time-outs of ordinary broker connections (10 s), which would stop every commit
    assert time.monotonic() - began < settings.CELERY_BROKER_TRANSPORT_OPTIONS["socket_timeout"] / 2


def test_after_a_failure_it_is_silent_for_a_moment(mute_broker, monkeypatch):
    doorbell.ring("flows.advance", 1)
    mute_broker.accept()[0].close()
    doorbell.ring("flows.advance", 1)
    mute_broker.setblocking(False)
    with pytest.raises(BlockingIOError):
        mute_broker.accept()
    monkeypatch.setattr(doorbell._Silence, "until", float("-inf"))
    doorbell.ring("flows.advance", 1)
    mute_broker.accept()[0].close()
