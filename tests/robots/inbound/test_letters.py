"""What is told before a dead letter is handled again is what then happens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from robots import services
from robots.inbound import inbox
from robots.inbound.store import store_batch
from robots.letters import Fate, forecasts
from robots.models import DeadLetter, Message, Robot
from robots.stream import partitions
from tests.robots.inbound.builders import callback, line, make_robot
from worktool_ai.lib import clock

pytestmark = pytest.mark.django_db
LAST_ID = UUID(int=2**128 - 1)


def letter_of(robot: Robot | None, body: Any = None, kind: str = "message", age_s: float = 5) -> DeadLetter:
    one = callback(robot.pk if robot else UUID(int=0), line() if body is None else body, kind=kind)
    received_at = clock.now() - timedelta(seconds=age_s)
    fields = {"kind": kind, "content_type": one.content_type, "body": one.body, "received_at": received_at}
    return DeadLetter.objects.create(id=one.id, robot=robot, error="ValueError", **fields)


def fate_of(letter: DeadLetter) -> Fate:
    (found,) = forecasts([letter])
    return found.fate


def handle_again(letter: DeadLetter) -> list[Any]:
    services.redrive(letter.pk, "test")
    with transaction.atomic():
        return store_batch(inbox.take(dict.fromkeys(partitions(), LAST_ID)).callbacks).lines


def test_a_fresh_line_may_be_answered_and_is_handled_then() -> None:
    letter = letter_of(make_robot())
    assert fate_of(letter) == Fate.ANSWERED
    services.redrive(letter.pk, "test")
    assert fate_of(letter) == Fate.WAITING
    assert [line.message_id for line in handle_again(letter)] == [letter.pk]
    assert fate_of(letter) == Fate.HANDLED
    assert handle_again(letter) == []


def test_what_else_can_become_of_one() -> None:
    robot = make_robot()
    off = make_robot("wt-off", "key-off", "off", is_active=False)
    assert fate_of(letter_of(robot, age_s=301)) == Fate.STALE
    assert fate_of(letter_of(robot, {"messageId": "7", "errorCode": 0}, kind="result")) == Fate.RECORDED
    assert fate_of(letter_of(robot, b"{", kind="result")) == Fate.UNREADABLE
    assert fate_of(letter_of(None)) == Fate.NO_ROBOT
    silent = letter_of(off)
    assert fate_of(silent) == Fate.SILENT
    assert handle_again(silent) == []
    assert Message.objects.get().reason
