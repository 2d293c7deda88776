"""A dead letter that is handled again is taken up as if it had just come."""

from __future__ import annotations

import json
from uuid import UUID

from django.db import connection, transaction

from robots import hotpath, services
from robots.hotpath import Settlement
from robots.inbound import inbox
from robots.inbound.store import store_batch
from robots.models import DeadLetter, Message, Reason, Robot
from robots.stream import Callback, partition_of
from tests.robots.outbound.conftest import ROOM
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7

BODY = {"spoken": "如何退款？", "receivedName": "张三", "groupName": ROOM, "roomType": 1, "atMe": "true", "textType": 1}


def test_a_line_that_was_stored_with_its_letter_starts_anew(robot: Robot) -> None:
    partition = partition_of(robot.pk, ROOM)
    body = json.dumps(BODY, ensure_ascii=False).encode()
    callback = Callback(uuid7(), "message", robot.pk, partition, now(), "application/json", body)
    with transaction.atomic(), connection.cursor() as cursor:
        (line,) = store_batch([callback]).lines
        hotpath.settle_messages(cursor, [Settlement(message_id=line.message_id, reason=Reason.DEAD_LETTER)])
    letter = DeadLetter.objects.create(
        id=callback.id,
        robot=robot,
        kind="message",
        content_type=callback.content_type,
        body=body,
        error="KeyError: …",
        received_at=callback.received_at,
    )

    assert services.redrive(letter.pk, "test")
    assert services.redrive(letter.pk, "test")  # twice in a row is once

    with transaction.atomic():
        (again,) = inbox.take({partition: UUID(int=2**128 - 1)}).callbacks
        (line,) = store_batch([again]).lines
    assert (line.message_id, line.text, line.received_at) == (callback.id, "如何退款？", callback.received_at)
    assert Message.objects.get().reason == ""


def test_settling_twice_is_for_the_same_run_only(robot: Robot) -> None:
    body = json.dumps(BODY, ensure_ascii=False).encode()
    callback = Callback(uuid7(), "message", robot.pk, 0, now(), "application/json", body)
    first, other = uuid7(), uuid7()
    with transaction.atomic(), connection.cursor() as cursor:
        store_batch([callback])
        for reason, run, intent in (
            ("", first, "service"),
            (Reason.ANSWERED, first, None),
            (Reason.SEND_FAILED, first, None),
            (Reason.FLOW_FAILED, other, "chat"),
        ):
            settlement = Settlement(message_id=callback.id, reason=reason, run_id=run, intent=intent)
            hotpath.settle_messages(cursor, [settlement])
    line = Message.objects.get()
    assert (line.reason, line.intent, line.run_id) == (Reason.SEND_FAILED, "service", first)
    assert line.settled_at
