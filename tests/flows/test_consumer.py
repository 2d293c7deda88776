"""From what the door made durable to stored lines and queued runs, in order, through every fault."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from flows import services
from flows.consumer import Consumer
from flows.models import Run
from robots import caches as robot_caches
from robots.inbound.reader import StreamReader
from robots.inbound.store import StoredLine
from robots.models import DeadLetter, InboxEntry, Message, OnlineChange, Robot
from robots.stream import Callback, fields_of, partitions, stream_of
from tests.polling import eventually
from tests.robots.inbound.builders import callback, line, make_robot
from tests.robots.inbound.locks import owners
from worktool_ai.lib import failpoints, heartbeats
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db(transaction=True)


class World:
    """A consumer with a recording engine, and both of its sources."""

    def __init__(self, client: redis.Redis, robot: Robot) -> None:
        self.redis = client
        self.robot = robot
        self.started: list[str] = []
        self.rung: list[int] = []
        self.poison = ""
        self.batches: list[int] = []

    def start_runs(self, lines: Sequence[StoredLine]) -> int:
        assert connection.in_atomic_block
        if any(self.poison and self.poison in line.text for line in lines):
            raise ValueError("poison\0")
        self.started += [line.text for line in lines]
        self.batches.append(len(lines))
        return len({line.conversation_id for line in lines})

    def consumer(self, **options: Any) -> Consumer:
        return Consumer(self.start_runs, self.rung.append, block_ms=20, **options)

    def say(self, *texts: str, sender: str = "张三") -> list[Callback]:
        said = [callback(self.robot.pk, line(text, sender)) for text in texts]
        self.add(*said)
        return said

    def add(self, *callbacks: Callback) -> None:
        for one in callbacks:
            self.redis.xadd(stream_of(one.partition), fields_of(one))

    def put_into_inbox(self, *callbacks: Callback) -> None:
        InboxEntry.objects.bulk_create(
            InboxEntry(
                id=one.id,
                partition=one.partition,
                robot_id=one.robot_id,
                kind=one.kind,
                content_type=one.content_type,
                body=one.body,
                received_at=one.received_at,
            )
            for one in callbacks
        )

    def waiting(self) -> int:
        found: Any = [self.redis.xlen(stream_of(number)) for number in partitions()]
        return sum(found)

    def texts(self) -> list[str]:
        return list(Message.objects.order_by("id").values_list("text", flat=True))


@pytest.fixture
def robot() -> Robot:
    return make_robot()


@pytest.fixture
def world(durable_redis: redis.Redis, robot: Robot) -> World:
    return World(durable_redis, robot)


@contextmanager
def running(consumer: Consumer) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=consumer.run, name="consumer")
    thread.start()
    try:
        yield thread
    finally:
        consumer.stop()
        thread.join(20)
        assert not thread.is_alive()


def drained(world: World) -> bool:
    return world.waiting() == 0 and not InboxEntry.objects.exists()


def test_lines_are_stored_started_removed_and_rung_for(world: World):
    world.say("一", "二")
    world.say("三", sender="李四")
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.texts() == ["一", "二", "三"]
    assert world.started == ["一", "二", "三"]
    assert sum(world.rung) == 2
    assert heartbeats.newest(heartbeats.read_all())["consumer"].detail == "8 of 8 partitions"


def test_a_burst_is_one_batch(world: World):
    world.say(*(f"第{number}句" for number in range(20)))
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.batches == [20]
    assert world.started == [f"第{number}句" for number in range(20)]


def test_what_a_killed_consumer_had_read_is_handled_first(world: World):
    """Read but not removed: some of it committed, some not."""
    said = world.say("一", "二", "三")
    dead = StreamReader(block_ms=10)
    dead.own(partitions())
    eventually(lambda: dead.read().entries)
    dead.close()
    world.say("四")
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.started == ["一", "二", "三", "四"]
    assert [one.id for one in said] == list(Message.objects.order_by("id").values_list("id", flat=True))[:3]


def test_a_batch_whose_removal_was_lost_is_not_handled_twice(world: World):
    (one,) = world.say("一")
    with running(world.consumer()):
        eventually(lambda: drained(world))
    world.add(one)
    world.say("二")
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.started == ["一", "二"]
    assert world.texts() == ["一", "二"]


@pytest.mark.parametrize("rows", [100, 2])
def test_inbox_entries_are_taken_in_their_place(world: World, rows: int, monkeypatch: pytest.MonkeyPatch):
    """Also where they take several transactions, and stream entries lie between them."""
    monkeypatch.setattr("robots.inbound.inbox.MAX_ROWS", rows)
    said = [callback(world.robot.pk, line(f"第{number}句")) for number in range(12)]
    world.put_into_inbox(*said[0:3], *said[6:9])
    world.add(*said[3:6], *said[9:12])
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.started == [f"第{number}句" for number in range(12)]


def test_more_inbox_entries_than_one_transaction_takes(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("robots.inbound.inbox.MAX_ROWS", 4)
    said = [callback(world.robot.pk, line(f"第{number}句")) for number in range(11)]
    world.put_into_inbox(*said[:10])
    world.add(said[10])
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.started == [f"第{number}句" for number in range(11)]


def test_inbox_bodies_are_taken_by_size(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("robots.inbound.inbox.MAX_BYTES", 3000)
    said = [callback(world.robot.pk, line(f"第{number}句", filler="x" * 1000)) for number in range(7)]
    world.put_into_inbox(*said)
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.started == [f"第{number}句" for number in range(7)]
    assert max(world.batches) <= 3


def test_the_same_callback_in_both_stores_is_one_line(world: World):
    (one,) = world.say("一")
    world.put_into_inbox(one)
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.started == ["一"]
    assert world.texts() == ["一"]


def test_all_kinds_of_callbacks(world: World):
    world.add(
        callback(world.robot.pk, {"any": "body"}, kind="online"),
        callback(world.robot.pk, {"messageId": "1", "errorCode": 0, "type": 203}, kind="result"),
        callback(world.robot.pk, {"groupName": "客服群", "qrCode": "https://x"}, kind="qrcode"),
    )
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert OnlineChange.objects.get().is_online
    assert world.robot.results.get().platform_id == "1"
    assert world.robot.qr_codes.get().group_name == "客服群"


# -- bad data ----------------------------------------------------------------------------------------------------------


def test_a_bad_line_goes_to_the_dead_letters_and_takes_no_other_with_it(world: World):
    world.poison = "毒"
    said = world.say("一", "毒", "三")
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.started == ["一", "三"]
    letter = DeadLetter.objects.get()
    assert (letter.pk, letter.kind, letter.robot) == (said[1].id, "message", world.robot)
    assert letter.error == "ValueError: poison"
    assert bytes(letter.body) == said[1].body
    stored = Message.objects.get(pk=said[1].id)
    assert (stored.text, stored.reason) == ("毒", "dead_letter")
    assert set(Message.objects.exclude(pk=said[1].id).values_list("reason", flat=True)) == {""}


def test_a_bad_inbox_entry_too(world: World):
    world.poison = "毒"
    said = [callback(world.robot.pk, line(text)) for text in ("一", "毒", "三")]
    world.put_into_inbox(*said)
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.started == ["一", "三"]
    assert DeadLetter.objects.get().pk == said[1].id


def test_what_the_door_cannot_have_written_is_set_aside(world: World):
    world.redis.xadd(stream_of(0), {"junk": "x"})
    world.add(callback(uuid7(), line("fremd")))
    world.say("一")
    with running(world.consumer()):
        eventually(lambda: drained(world))
    assert world.started == ["一"]
    errors = sorted(DeadLetter.objects.values_list("error", flat=True))
    assert errors[0].startswith("KeyError")
    assert errors[1].startswith("UnknownRobotError")


# -- faults ------------------------------------------------------------------------------------------------------------


def test_one_owner_a_partition_and_the_next_takes_over(world: World):
    first, second = world.consumer(), world.consumer()
    with running(second) as other:
        world.say("一")
        eventually(lambda: drained(world))
        with running(first):
            world.say("二")
            eventually(lambda: drained(world))
            second.stop()
            other.join(10)
            world.say("三")
            eventually(lambda: drained(world), 15)
    assert world.started == ["一", "二", "三"]


def test_partitions_can_be_shared(world: World):
    low, high = world.consumer(wanted=range(4)), world.consumer(wanted=range(4, 8))
    said = [callback(world.robot.pk, line(f"第{n}句", groupName=f"群{n}")) for n in range(40)]
    world.add(*said)
    with running(low), running(high):
        eventually(lambda: drained(world))
    assert sorted(world.started) == sorted(f"第{n}句" for n in range(40))


def terminate_sessions() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lost_database_session_is_replaced(world: World):
    with running(world.consumer()):
        world.say("一")
        eventually(lambda: drained(world))
        terminate_sessions()
        world.say("二")
        eventually(lambda: drained(world), 20)
    assert world.started == ["一", "二"]


def test_a_database_error_in_the_batch_is_retried_and_nothing_counted(world: World):
    failures = iter([psycopg.OperationalError("gone"), psycopg.OperationalError("gone")])
    inner = world.start_runs

    def failing(lines: Sequence[StoredLine]) -> int:
        if (error := next(failures, None)) is not None:
            raise error
        return inner(lines)

    world.say("一")
    with running(Consumer(failing, world.rung.append, block_ms=20)):
        eventually(lambda: drained(world))
    assert world.started == ["一"]
    assert not DeadLetter.objects.exists()


def test_a_redis_that_hangs_and_one_that_was_wiped(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("robots.inbound.reader.TIMEOUT_S", 0.5)
    with running(world.consumer()):
        world.say("一")
        eventually(lambda: drained(world))
        world.redis.client_pause(1200, all=True)
        world.say("二")
        eventually(lambda: drained(world), 20)
        world.redis.flushdb()
        world.say("三")
        eventually(lambda: drained(world), 20)
    assert world.started == ["一", "二", "三"]


def test_the_inbox_waits_for_redis_but_not_for_ever(world: World, monkeypatch: pytest.MonkeyPatch):
    """Older lines may lie in Redis; a line that has waited long enough is handled all the same."""
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
    young = callback(world.robot.pk, line("jung"), after=10**9)
    world.put_into_inbox(callback(world.robot.pk, line("alt")), young)
    with running(world.consumer()):
        eventually(lambda: world.started)
    assert world.started == ["alt"]
    assert InboxEntry.objects.get().pk == young.id


def test_killed_between_commit_and_removal(world: World):
    (one,) = world.say("一")
    failpoints.arm("consumer.committed=raise@1")
    try:
        # the same kill -9 would be: committed, but neither removed nor rung for
        with pytest.raises(failpoints.FailpointReached):
            world.consumer().run()
    finally:
        failpoints.arm("")
    assert world.waiting() == 1
    with running(world.consumer()):
        eventually(lambda: drained(world), 20)
    assert world.started == ["一"]
    assert Message.objects.get().pk == one.id


def test_stopping_leaves_nothing_owned(world: World):
    with running(world.consumer()):
        world.say("一")
        eventually(lambda: drained(world))
    assert owners() == set()


# -- cost --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 100])
def test_statements_of_a_batch(seeded: None, world: World, count: int):
    """With the real engine a lone line takes a handful of statements, and a hundred lines not one more."""
    robot_caches.forget()
    consumer = Consumer(services.start_runs, world.rung.append, block_ms=20)
    world.say("先来一句")
    while not drained(world):
        consumer.step()
    people = [callback(world.robot.pk, line(f"第{n}句", f"客户{n % 20}")) for n in range(count)]
    world.add(*people)
    with CaptureQueriesContext(connection) as queries:
        consumer.step()
    # the caches ask once a second whether anything has changed: not per line
    statements = [query["sql"] for query in queries if "xmin" not in query["sql"]]
    assert Run.objects.count() == Message.objects.count() == count + 1
    assert len([sql for sql in statements if not sql.startswith(("BEGIN", "COMMIT"))]) <= 7, statements
    assert sum(sql.startswith("COMMIT") for sql in statements) <= 1
    consumer._ownership.drop()
