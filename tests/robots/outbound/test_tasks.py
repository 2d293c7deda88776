"""The poll finds what a doorbell forgot, and nothing is lost while a store is away."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.db import OperationalError
from pytest_django.fixtures import Settings

from robots import caches, outbox, outcomes, tasks
from robots.limiter import Limiter
from robots.models import Command, CommandResult, Robot
from robots.simulator.testing import SimulatorClient
from tests.robots.outbound.conftest import Queue, ago, state_of
from worktool_ai.lib import heartbeats
from worktool_ai.lib.clock import now


def test_the_poll_closes_joins_sends_and_gives_a_sign_of_life(
    queue: Queue, simulator: SimulatorClient, robot: Robot
) -> None:
    stale, missed, fresh = queue("太晚", room="甲群", expires_at=ago(1)), queue("错过", room="乙群"), queue("新鲜")
    Command.objects.filter(pk=missed.pk).update(
        state="accepted", platform_id="900", sending_at=now(), accepted_at=now()
    )
    CommandResult.objects.create(robot=robot, platform_id="900", error_code=0, raw={}, received_at=now())
    tasks.poll_outbox()
    assert [state_of(command) for command in (stale, missed)] == ["expired", "done"]
    assert state_of(fresh) in ("accepted", "done")
    assert "outbox" in {heartbeat.part for heartbeat in heartbeats.read_all()}


def test_a_doorbell_sends_what_is_due(queue: Queue, simulator: SimulatorClient) -> None:
    queue()
    tasks.ring_outbox()
    tasks.drain_outbox()
    tasks.drain_outbox()
    assert len(simulator.sends()) == 1


def test_reconciling_sends_what_it_repeats(queue: Queue, simulator: SimulatorClient) -> None:
    command = queue()
    look = {"attempt": 1, "age_s": 6.0, "complete": True, "matches": []}
    Command.objects.filter(pk=command.pk).update(
        state="unknown", sending_at=ago(66), sender="gone", attempts=1, evidence=[look]
    )
    tasks.reconcile_commands()
    assert state_of(command) == "not_accepted"
    assert len(simulator.sends()) == 1


def test_connecting_is_left_to_people_elsewhere(robot: Robot, simulator: SimulatorClient) -> None:
    tasks.connect_pending()
    assert simulator.ledger() == []


def test_without_the_limiter_nothing_is_sent(
    queue: Queue, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **kwargs: Any) -> Any:
        raise redis.ConnectionError("away")

    command = queue()
    monkeypatch.setattr(Limiter, "ask", away)
    assert outbox.drain() == 0
    monkeypatch.undo()
    monkeypatch.setattr(Limiter, "starts", away)
    outbox.drain()
    assert (state_of(command), simulator.sends()) == ("queued", [])


def test_an_outcome_outlives_a_moment_without_the_database(
    queue: Queue, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, write, failures = queue(), outcomes._write, [OperationalError("away"), OperationalError("away")]

    def write_later(*batch: Any) -> Any:
        if failures:
            raise failures.pop()
        return write(*batch)

    monkeypatch.setattr(outcomes, "_write", write_later)
    outbox.drain()
    assert state_of(command) in ("accepted", "done")


def test_a_robot_whose_secret_cannot_be_opened_fails_its_commands(
    queue: Queue, simulator: SimulatorClient, settings: Settings
) -> None:
    command = queue()
    settings.ENCRYPTION_KEYS = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    caches.forget()  # the copy in memory may hold it opened
    outbox.drain()
    assert state_of(command) == "failed"
    assert simulator.sends() == []
