"""When no door took callbacks: noticed by the next door, by the one that hung, and by the one that refused."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from robots.door import alive
from robots.models import CallbackGap, DoorMark, GapCause, Robot
from robots.stream import partitions, stream_of
from tests.robots.door.client import DoorClient, in_thread, open_door, until
from tests.robots.inbound.builders import line, make_robot
from worktool_ai.lib import clock


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alive, "EVERY_S", 0.05)


def gaps() -> list[CallbackGap]:
    return list(CallbackGap.objects.order_by("created_at").select_related("robot"))


async def test_a_door_that_died_leaves_an_outage_of_each_active_robot_once(robot: Robot):
    def before() -> Any:
        make_robot("wt-other", "key-other", "other")
        make_robot("wt-off", "key-off", "off", is_active=False)
        return DoorMark.objects.create(seen_at=clock.now() - timedelta(minutes=3))

    mark = await in_thread(before)
    async with open_door(), open_door():
        found = await until(gaps)
        await until(lambda: DoorMark.objects.count() == 2)
    assert sorted(gap.robot.slug for gap in found) == ["demo", "other"]
    assert {(gap.cause, gap.since) for gap in found} == {(GapCause.DOWNTIME, mark.seen_at)}
    assert all(gap.until - gap.since >= timedelta(minutes=3) and gap.due_at > gap.until for gap in found)
    assert await in_thread(CallbackGap.objects.count) == 2


async def test_a_door_that_is_replaced_within_seconds_leaves_none(robot: Robot):
    async with open_door():
        await until(DoorMark.objects.exists)
    async with open_door():
        await until(lambda: DoorMark.objects.count() == 2)
    assert await in_thread(gaps) == []


async def test_a_door_that_hung_notices_it(door: DoorClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alive, "LATE", timedelta(seconds=0.4))
    await until(DoorMark.objects.exists)
    began = clock.now()
    time.sleep(0.6)  # noqa: ASYNC251 - as SIGSTOP does: the loop itself stands still
    (gap,) = await until(gaps)
    assert gap.cause == GapCause.DOWNTIME
    assert gap.since <= began + timedelta(seconds=0.1)
    assert gap.until >= began + timedelta(seconds=0.6)


async def test_refusals_are_an_outage_of_their_robot_from_the_first_to_the_last(
    robot: Robot, monkeypatch: pytest.MonkeyPatch, durable_redis: Any
):
    monkeypatch.setattr(alive, "QUIET", timedelta(seconds=0.3))

    async def away(*_: Any) -> None:
        raise OSError("away")

    async with open_door() as door:
        await until(DoorMark.objects.exists)
        with monkeypatch.context() as patched:
            patched.setattr(door.door._store._stream, "_write", away)
            patched.setattr(door.door._store._inbox, "_write", away)
            statuses = [(await door.post(body=line(str(number)))).status for number in range(3)]
        (gap,) = await until(gaps)
    assert statuses == [503, 503, 503]
    assert (gap.robot_id, gap.cause) == (robot.pk, GapCause.REFUSED)
    assert gap.since < gap.until < clock.now()
    assert not any(durable_redis.exists(stream_of(number)) for number in partitions())


async def test_nobody_can_post_what_counts_as_fetched_afterwards(door: DoorClient):
    assert (await door.post("backfill", line())).status == 403
