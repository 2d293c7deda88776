"""Lines said while the door was away are fetched from the platform's log: each once, in order, marked."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import redis
from django.db import transaction
from pytest_django.fixtures import Settings

from robots.client import CHINA
from robots.inbound.store import store_batch
from robots.models import CallbackGap, GapCause, GapState, Message, Robot, Room
from robots.recovery import gaps, log, looking, silence
from robots.stream import fields_of, stream_of
from tests.robots.recovery.conftest import Away, texts
from worktool_ai.lib import clock, failpoints


def test_lines_of_an_outage_are_taken_in_once_and_in_order(away: Away, consume):
    said = [f"第{number}句" for number in range(12)]
    for text in said:
        away.say(text, sender="李四" if len(text) == 3 else "张三")
    away.open_gap()

    looking.run()
    lines = consume()
    assert [line.text for line in lines] == said
    assert all(line.is_backfill for line in lines)
    for _look in range(3):
        away.due()
        looking.run()
        assert consume() == []

    gap = CallbackGap.objects.get()
    assert (gap.state, gap.looks, gap.found, gap.taken_in) == (GapState.DONE, 3, 12, 12)
    assert texts() == said
    assert Message.objects.filter(is_backfill=True).count() == 12


@pytest.mark.parametrize("point", ["recovery.read", "recovery.before_commit"])
def test_killed_in_the_middle_and_run_again_each_line_is_taken_in_once(away: Away, consume, point: str):
    for number in range(3):
        away.say(f"第{number}句")
    away.open_gap()
    failpoints.arm(f"{point}=raise")
    try:
        with pytest.raises(failpoints.FailpointReached):
            looking.run()
    finally:
        failpoints.arm("")
    looking.run()  # the lease of the dead process has not run out yet
    assert consume() == []

    away.due()
    looking.run()
    assert len(consume()) == 3
    assert CallbackGap.objects.get().taken_in == 3


def test_who_has_lost_the_lease_takes_nothing_in(away: Away, consume):
    away.say("第一句")
    away.open_gap()
    gap = gaps.claim_due()
    assert gap is not None
    assert gaps.claim_due() is None  # it is leased
    away.due()
    looking.run()  # somebody else, who came to the end of it
    looking.look(gap)
    assert [line.text for line in consume()] == ["第一句"]
    assert CallbackGap.objects.get().looks == 1


@pytest.mark.parametrize("dialect", ["unique", "absent", "late"])
def test_what_the_door_stored_although_the_platform_saw_a_time_out_is_not_doubled(away: Away, consume, dialect: str):
    away.simulator.dialect(messageId=dialect)
    ids = {text: away.say(text) for text in ("存了", "晚存了", "丢了")}
    if dialect == "late":
        away.simulator.wait_for(lambda: len(away.log()) == 6)
    known = {text: {"messageId": id_} if dialect == "unique" else {} for text, id_ in ids.items()}
    with transaction.atomic():
        store_batch([away.door("存了", **known["存了"])])
        # a door that was stopped takes it up later than any window
        store_batch([away.door("晚存了", at=clock.now() + timedelta(seconds=25), **known["晚存了"])])
    away.open_gap()
    looking.run()
    assert [line.text for line in consume()] == ["丢了"]
    assert sorted(texts()) == sorted(["存了", "晚存了", "丢了"])


def test_a_line_that_still_waits_inside_is_not_taken_for_lost(away: Away, consume, durable_redis: redis.Redis):
    away.say("在流里")
    waiting = away.door("在流里")
    durable_redis.xadd(stream_of(waiting.partition), fields_of(waiting))
    away.open_gap()
    looking.run()
    gap = away.due()
    assert (gap.error, gap.looks, gap.attempts) == (looking.BUSY, 0, 0)
    assert consume() == []

    durable_redis.delete(stream_of(waiting.partition))
    with transaction.atomic():
        store_batch([waiting])
    looking.run()
    assert (CallbackGap.objects.get().looks, CallbackGap.objects.get().taken_in) == (1, 0)


def test_a_row_that_appears_late_is_found_by_the_next_look(away: Away, consume):
    away.open_gap()
    looking.run()
    away.say("日志晚到")
    away.due()
    looking.run()
    assert [line.text for line in consume()] == ["日志晚到"]


def test_a_long_log_is_read_in_parts_oldest_first(away: Away, consume, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log, "PAGE_SIZE", 2)
    monkeypatch.setattr(log, "MAX_PAGES", 2)
    said = [f"第{number:02}句" for number in range(12)]
    for text in said:
        away.say(text)
        time.sleep(0.1)  # some parts hold a second, which cannot be halved
    away.open_gap()
    stored: list[str] = []
    while not CallbackGap.objects.get().looks:
        looking.run()
        stored += [line.text for line in consume()]
        away.due()
    assert stored == said


def test_a_group_under_a_remark_keeps_its_room(away: Away, consume):
    with transaction.atomic():
        store_batch([away.door("早先", groupRemark="A03春季", at=clock.now() - timedelta(hours=1))])
    away.say("丢了", groupRemark="A03春季")
    away.open_gap()
    looking.run()
    (line,) = consume()
    assert line.room_address == "A03春季"
    assert Room.objects.count() == 1


def test_a_platform_that_cannot_be_asked_is_asked_again_and_given_up_after_a_day(
    away: Away, consume, settings: Settings
):
    away.say("第一句")
    away.open_gap()
    away.simulator.faults({"kind": "http_status", "value": 500})
    looking.run()
    gap = CallbackGap.objects.get()
    assert (gap.attempts, gap.state) == (1, GapState.OPEN)
    assert gap.error
    assert gap.due_at > clock.now()
    looking.run()  # not due: nothing is asked
    assert CallbackGap.objects.get().attempts == 1

    settings.WORKTOOL_REQUEST_LIMIT = 0
    away.due()
    looking.run()
    assert (CallbackGap.objects.get().error, CallbackGap.objects.get().attempts) == (looking.NO_LEAVE, 1)

    CallbackGap.objects.update(created_at=clock.now() - timedelta(hours=25), due_at=clock.now())
    looking.run()
    assert CallbackGap.objects.get().state == GapState.GAVE_UP

    settings.WORKTOOL_REQUEST_LIMIT = 1000
    away.simulator.faults()
    gaps.ask(away.robot, away.since, clock.now(), "test")
    looking.run()
    assert [line.text for line in consume()] == ["第一句"]


@pytest.mark.parametrize(
    ("heard_min", "hours", "looks"),
    [(31, (-1, 1), 1), (29, (-1, 1), 0), (None, (-1, 1), 1), (31, (1, 2), 0), (31, None, 0)],
)
def test_silence_within_a_robots_hours_is_looked_into_once(robot: Robot, heard_min, hours, looks):
    now = clock.now()
    robot.last_callback_at = now - timedelta(minutes=heard_min) if heard_min else None
    if hours:
        local = now.astimezone(CHINA)
        robot.watch_from, robot.watch_until = ((local + timedelta(hours=hour)).time() for hour in hours)
    robot.save()
    silence.look_out()
    silence.look_out()
    found = list(CallbackGap.objects.filter(cause=GapCause.SILENCE))
    assert len(found) == looks
    if looks:
        assert found[0].since == (robot.last_callback_at or found[0].until - timedelta(hours=24))
