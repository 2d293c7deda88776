"""/healthz and /readyz, exactly as reference/interface.md says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
import redis
from django.conf import LazySettings

from monitoring import health
from monitoring.health import Health
from robots.models import InboxEntry
from robots.stream import stream_of
from tests.robots.door.client import in_thread
from worktool_ai.lib import clock, heartbeats
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db(transaction=True)

PARTS = {"postgres", "redis", "inbound", "consumer", "worker", "outbox", "beat", "relay"}


@pytest.fixture(autouse=True)
def _look_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REUSED_S", -1.0)
    monkeypatch.setattr(health, "SELDOM_S", -1.0)
    monkeypatch.setattr(heartbeats, "_pulse", heartbeats._Pulse())


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Health]:
    one = Health()
    yield one
    await one.stop()


async def ready(site: Health) -> tuple[int, dict[str, Any]]:
    status, body = await site.ready()
    return status, json.loads(body)


def everybody_lives() -> None:
    for part in heartbeats.PARTS:
        heartbeats.beat(part, detail="fine")


async def test_ready_once_every_part_was_seen(site: Health, broker_redis: redis.Redis):
    status, body = await ready(site)
    assert (status, body["status"]) == (503, "down")
    assert set(body) == {"status", "version", "parts"}
    assert set(body["parts"]) == PARTS
    assert all(set(part) == {"status", "detail", "lag"} for part in body["parts"].values())
    assert body["parts"]["worker"] == {"status": "down", "detail": "not seen yet", "lag": 0}
    await in_thread(everybody_lives)
    status, body = await ready(site)
    assert (status, body["status"]) == (200, "ok"), body
    await in_thread(lambda: broker_redis.hdel(heartbeats.key(), *broker_redis.hkeys(heartbeats.key())))
    status, body = await ready(site)
    assert (status, body["status"], body["parts"]["worker"]["status"]) == (200, "degraded", "down")


async def test_a_part_that_falls_silent_is_slow_and_then_down(site: Health, broker_redis: redis.Redis):
    await in_thread(everybody_lives)
    await ready(site)
    for age, expected in ((health.SLOW_S + 1, "degraded"), (health.DEAD_S + 1, "down")):
        sign = json.dumps({"at": clock.now().timestamp() - age, "detail": "", "lag": 0})
        await in_thread(partial(all_say, broker_redis, sign))
        status, body = await ready(site)
        assert (status, body["parts"]["relay"]["status"]) == (200, expected)
        assert body["parts"]["relay"]["lag"] >= age - 1


def all_say(broker: redis.Redis, sign: str) -> None:
    names = [f"{one.part}:{one.process}" for one in heartbeats.read_all()]
    broker.hset(heartbeats.key(), mapping=dict.fromkeys(names, sign))


async def test_ready_as_long_as_one_store_can_take_a_callback(site: Health, settings: LazySettings):
    await in_thread(everybody_lives)
    assert (await ready(site))[0] == 200
    await site.stop()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    status, body = await ready(site)
    assert (status, body["status"], body["parts"]["redis"]["status"]) == (200, "degraded", "down")
    assert body["parts"]["inbound"]["status"] == "degraded"
    await site.stop()

    async def refuse(*args: object) -> None:
        raise OSError("refused at 127.0.0.1")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitoring.health.connect_postgres", refuse)
        status, body = await ready(site)
        assert (status, body["status"]) == (503, "down")
        assert "127.0.0.1" not in json.dumps(body)
    status, body = await ready(site)
    assert (status, body["status"]) == (200, "degraded")


async def test_missing_migrations_are_not_ready(site: Health, monkeypatch: pytest.MonkeyPatch):
    await in_thread(everybody_lives)
    assert (await ready(site))[0] == 200
    on_disk = health._on_disk()
    monkeypatch.setattr(health, "_on_disk", lambda: on_disk | {("robots", "9999_future")})
    status, body = await ready(site)
    assert (status, body["parts"]["postgres"]["detail"]) == (503, "1 migrations are missing")


async def test_what_waits_is_counted_in_both_stores(site: Health, durable_redis: redis.Redis):
    await in_thread(lambda: durable_redis.xadd(stream_of(1), {"a": "b"}))
    entry = InboxEntry(partition=0, robot_id=uuid7(), kind="message", body=b"{}", received_at=clock.now())
    await in_thread(entry.save)
    _status, body = await ready(site)
    assert body["parts"]["inbound"]["lag"] == 2
    assert body["parts"]["inbound"]["status"] == "ok"
    await in_thread(lambda: InboxEntry.objects.update(received_at=clock.now() - timedelta(minutes=1)))
    _status, body = await ready(site)
    assert body["parts"]["inbound"]["status"] == "degraded"


async def test_a_redis_that_could_lose_lines_is_shown(site: Health, durable_redis: redis.Redis):
    _status, body = await ready(site)
    assert "appendfsync is everysec, not always" in body["parts"]["redis"]["detail"]


async def test_the_broker_away_is_degraded(site: Health, settings: LazySettings):
    await in_thread(everybody_lives)
    await ready(site)
    await site.stop()
    settings.REDIS_BROKER_URL = "redis://127.0.0.1:1/0"
    status, body = await ready(site)
    assert (status, body["status"], body["parts"]["redis"]["status"]) == (200, "degraded", "degraded")
    assert body["parts"]["worker"]["status"] == "degraded"
    await in_thread(lambda: heartbeats.beat("worker"))  # never fails


def test_beating_is_cheap_and_forgets_the_dead(broker_redis: redis.Redis):
    old = json.dumps({"at": clock.now().timestamp() - 1000, "detail": "", "lag": 0})
    broker_redis.hset(heartbeats.key(), "worker:gone-1", old)
    broker_redis.hset(heartbeats.key(), "worker:junk", "x")
    heartbeats.beat("worker", detail="980 slots free", lag=3)
    heartbeats.beat("worker", detail="a moment later")
    (sign,) = heartbeats.read_all()
    assert (sign.part, sign.detail, sign.lag) == ("worker", "980 slots free", 3)
