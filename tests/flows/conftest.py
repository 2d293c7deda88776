"""A published standard flow, a robot that answers by itself, and lines said to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from flows.engine import worker
from flows.models import ConversationLease, Run
from flows.services import start_runs
from robots import caches as robot_caches
from robots.inbound.store import StoredLine
from robots.models import Conversation, Direction, Message, Mode, Robot, RobotGroup, Room
from tests.planted import plant_all
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7


@pytest.fixture
def seeded(db) -> None:
    """Templates, personas, alert rules and the standard flow."""
    plant_all()


@pytest.fixture
def robot(db) -> Robot:
    group, _ = RobotGroup.objects.get_or_create(name="客服")
    made = Robot.objects.create(
        slug="demo",
        name="客服机器人",
        robot_id="wt-demo",
        robot_id_digest="digest-demo",
        callback_key="key",
        callback_key_digest="digest-key",
        group=group,
        mode=Mode.AUTOMATIC,
    )
    robot_caches.forget()
    return made


Say = Callable[..., StoredLine]


@pytest.fixture
def say(robot) -> Say:
    """Store a line as the inbound half would, and queue its run."""

    def _say(text: str, sender: str = "张三", room: str | None = "客服群", **fields: Any) -> StoredLine:
        line = stored_line(robot, text, sender, room, **fields)
        with transaction.atomic():
            start_runs([line])
        return line

    return _say


def stored_line(robot: Robot, text: str, sender: str, room: str | None, **fields: Any) -> StoredLine:
    received_at: datetime = fields.pop("received_at", now())
    digest: str | None = fields.pop("media_digest", None)
    place, _ = Room.objects.get_or_create(
        robot=robot, is_group=room is not None, address=room or sender, defaults={"name": room or sender}
    )
    conversation, _ = Conversation.objects.get_or_create(robot=robot, room=place, sender_name=sender)
    message_id: UUID = uuid7()
    values: dict[str, Any] = {"text_type": 1, "at_me": False, **fields}
    Message.objects.create(
        id=message_id,
        robot=robot,
        room=place,
        conversation=conversation,
        direction=Direction.IN,
        sender_name=sender,
        text=text,
        received_at=received_at,
        media_id=digest,
        **values,
    )
    return StoredLine(
        message_id=message_id,
        conversation_id=conversation.id,
        robot_id=robot.id,
        room_id=place.id,
        is_group=place.is_group,
        room_type=1 if place.is_group else 2,
        sender_name=sender,
        group_name=room or "",
        group_remark="",
        room_address=place.address,
        text=text,
        raw_text=text,
        platform_id="",
        received_at=received_at,
        media_digest=digest,
        is_backfill=False,
        **values,
    )


@pytest.fixture
def work() -> Callable[[], int]:
    """Advance everything that is due, as a worker's poll would, until nothing is."""

    def _work() -> int:
        total = 0
        while claimed := worker.advance(100):
            total += claimed
        return total

    return _work


def run_of(line: StoredLine) -> Run:
    return Run.objects.get(message_id=line.message_id)


def lease_of(line: StoredLine) -> ConversationLease:
    return ConversationLease.objects.get(conversation_id=line.conversation_id)
