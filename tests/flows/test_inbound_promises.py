"""Consumer and engine together: what was said twice is answered once, and what waited too long is left to people."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import transaction

from flows import services
from flows.consumer import Consumer
from flows.models import Run
from robots import questions
from robots.models import InboxEntry, Message, Reason, Robot
from robots.models.inbound import CallbackKind
from robots.stream import fields_of, partitions, stream_of
from tests.robots.inbound.builders import callback, line
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db(transaction=True)

#: Copies of one line, each ``(seconds, platform id)``, and how many runs they start.
COPIES: dict[str, tuple[list[tuple[float, str | None]], int]] = {
    "在吗": ([(0, None), (1, None), (2, None)], 1),
    "在吗？": ([(0, None), (2, "7")], 1),
    "在吗！": ([(0, "7"), (2, None)], 1),
    "在吗。": ([(0, None), (11, None)], 2),
    "在不在": ([(0, "7"), (2, "8")], 2),
    "你在吗": ([(0, "7"), (900, "7")], 1),
}


@pytest.mark.parametrize("together", [True, False])
def test_one_run_for_each_line_however_often_it_is_delivered(
    seeded: None, robot: Robot, durable_redis: redis.Redis, together: bool
):
    consumer = Consumer(services.start_runs, lambda count: None, block_ms=20)

    def drain() -> None:
        while any(durable_redis.xlen(stream_of(number)) for number in partitions()):
            consumer.step()

    for text, (copies, _runs) in COPIES.items():
        for after, platform_id in copies:
            fields = {} if platform_id is None else {"messageId": platform_id}
            one = callback(robot.pk, line(text, **fields), after=after)
            durable_redis.xadd(stream_of(one.partition), fields_of(one))
            if not together:
                drain()
    drain()
    consumer._ownership.drop()
    started = Counter(Run.objects.values_list("input__original_message", flat=True))
    assert started == {text: runs for text, (_copies, runs) in COPIES.items()}
    repeated = sum(len(copies) - runs for copies, runs in COPIES.values())
    assert Message.objects.filter(reason=Reason.DUPLICATE).count() == repeated


def backfill(robot: Robot, text: str, age_s: float, sender: str) -> None:
    body = callback(robot.pk, line(text, sender, atMe="true"))
    at = clock.now() - timedelta(seconds=age_s)
    InboxEntry.objects.create(
        id=uuid7(),
        partition=body.partition,
        robot_id=robot.pk,
        kind=CallbackKind.BACKFILL,
        content_type=body.content_type,
        body=body.body,
        received_at=at,
    )


def test_a_line_fetched_afterwards_is_answered_if_fresh_else_listed(seeded: None, robot: Robot, work: Any):
    backfill(robot, "如何退款？", 20, "张三")
    backfill(robot, "如何退款？", 301, "李四")
    consumer = Consumer(services.start_runs, lambda count: None, block_ms=20)
    while InboxEntry.objects.exists():
        consumer.step()
    consumer._ownership.drop()
    work()
    fresh, stale = (Message.objects.get(direction="in", sender_name=name) for name in ("张三", "李四"))
    assert fresh.is_backfill
    assert stale.is_backfill
    assert fresh.reason != Reason.STALE_LINE
    assert stale.reason == Reason.STALE_LINE
    assert list(Message.objects.filter(direction="out").values_list("conversation", flat=True)) == [
        fresh.conversation_id
    ]
    assert list(questions.open_questions().values_list("pk", flat=True)) == [stale.pk]


def test_a_line_that_waited_in_the_backlog_or_in_the_queue_is_not_answered_late(
    seeded: None, robot: Robot, say: Any, work: Any, durable_redis: redis.Redis
):
    """Its age counts from the door, whatever held it up inside."""
    old = callback(robot.pk, line("如何退款？"))  # taken by the door long ago, read by the consumer only now
    durable_redis.xadd(stream_of(old.partition), fields_of(old))
    consumer = Consumer(services.start_runs, lambda count: None, block_ms=20)
    while durable_redis.xlen(stream_of(old.partition)):
        consumer.step()
    consumer._ownership.drop()
    queued = say("如何退款？", "李四")
    with transaction.atomic():  # as if no worker had come for six minutes
        Run.objects.filter(message_id=queued.message_id).update(
            input={
                **Run.objects.get(message_id=queued.message_id).input,
                "received_at": int((clock.now() - timedelta(minutes=6)).timestamp() * 1000),
            }
        )
    work()
    assert {message.reason for message in Message.objects.filter(direction="in")} == {Reason.STALE_LINE}
    assert not Message.objects.filter(direction="out").exists()
