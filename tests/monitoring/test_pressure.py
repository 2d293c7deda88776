"""A queue that stays above its limit is shown, alarmed once, and the alert closed when it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from alerts.models import Alert, AlertState
from flows.models import ConversationLease
from monitoring import health, pressure
from robots.models import CommandState, InboxEntry
from robots.stream import stream_of
from tests.monitoring import builders
from worktool_ai.accounts.models import AuditEntry
from worktool_ai.lib import clock
from worktool_ai.lib.heartbeats import Heartbeat
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def low_limits(settings: Settings) -> None:
    settings.INBOUND_BACKLOG_LIMIT, settings.ENGINE_BACKLOG_LIMIT, settings.OUTBOX_BACKLOG_LIMIT = 2, 1, 0


def waiting_line(seconds: float = 0) -> None:
    at = clock.now() - timedelta(seconds=seconds)
    InboxEntry.objects.create(partition=0, robot_id=uuid7(), kind="message", body=b"{}", received_at=at)


def high() -> dict[str, int]:
    return {queue.name: queue.count for queue in pressure.measure() if queue.is_high}


def test_all_queues_are_measured_against_their_limits(durable_redis: redis.Redis):
    assert high() == {}
    for _number in range(2):
        durable_redis.xadd(stream_of(3), {"a": "b"})
    assert high() == {}
    waiting_line()
    lines = [builders.line(builders.robot(slug), reason="answered") for slug in ("demo", "other")]
    for line in lines:
        ConversationLease.objects.create(conversation_id=line.conversation_id, queued=1, due_at=clock.now())
    builders.answer(lines[0], state=CommandState.QUEUED)
    assert high() == {"inbound": 3, "engine": 2, "outbox": 1}


def test_one_line_that_waits_long_is_a_backlog_too():
    waiting_line(pressure.OLDEST_S + 1)
    assert high() == {"inbound": 1}


def test_a_backlog_is_alarmed_once_and_closed_when_it_is_over(monkeypatch: pytest.MonkeyPatch):
    began = clock.now()
    moment = [began]
    monkeypatch.setattr(pressure.clock, "now", lambda: moment[0])

    def watch_at(seconds: float) -> Any:
        moment[0] = began + timedelta(seconds=seconds)
        pressure.watch()
        return Alert.objects.values_list("count", "state", "code")

    for _line in range(3):
        InboxEntry.objects.create(
            partition=0, robot_id=uuid7(), kind="message", body=b"{}", received_at=began + timedelta(hours=1)
        )
    assert list(watch_at(0)) == []
    assert list(watch_at(29)) == []
    for second in (31, 36, 41):
        assert list(watch_at(second)) == [(1, AlertState.OPEN, "backlog")]
    alert = Alert.objects.get()
    assert alert.deliveries.count() == 0  # no channel is set up here
    assert "3" in alert.data["text"]

    InboxEntry.objects.all().delete()
    assert list(watch_at(46)) == [(1, AlertState.RESOLVED, "backlog")]
    assert AuditEntry.objects.get(action="alert.resolve").actor_name == "backlog"
    pressure.watch()
    assert Alert.objects.count() == 1


def test_a_burst_is_no_backlog(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pressure, "PATIENCE_S", 0.0)
    pressure.watch()
    assert not Alert.objects.exists()


def test_readyz_calls_a_part_above_its_limit_degraded():
    def part(name: str, lag: float) -> str:
        sign = Heartbeat(name, "host-1", clock.now().timestamp(), "fine", lag)
        return health._heartbeat_part(health._Facts(signs={name: sign}), name).status

    assert (part("worker", 1), part("worker", 2), part("outbox", 1), part("relay", 99)) == (
        *("ok", "degraded", "degraded"),
        "ok",
    )
    assert health._inbound_part(health._Facts(stream=(3, 0.1), inbox=(0, 0.0))).status == "degraded"
    assert health._inbound_part(health._Facts(stream=(2, 0.1), inbox=(0, 0.0))).status == "ok"
