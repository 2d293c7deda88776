"""A robot, a platform to talk to, and commands to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from robots import caches, hooks
from robots.hotpath import NewCommand, insert_commands
from robots.models import Command, Conversation, Mode, Robot, Room, RoomType
from robots.models.commands import Priority
from robots.services import create_robot
from robots.simulator.testing import SimulatorClient, running_simulator
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7

ROBOT_ID = "wt-outbound-robot-1"
ROOM = "客服群"


@pytest.fixture
def simulator(settings: Settings) -> Iterator[SimulatorClient]:
    with running_simulator() as client:
        settings.WORKTOOL_BASE_URL = client.url
        settings.WORKTOOL_REQUEST_LIMIT = 1000
        yield client


@pytest.fixture
def impatient(settings: Settings) -> None:
    """Calls are given up after half a second: for tests that are about that."""
    settings.WORKTOOL_TIMEOUT_S = 0.5


@pytest.fixture
def final_commands() -> Iterator[list[UUID]]:
    """The ids that the app above was told of."""
    told: list[UUID] = []
    with hooks.commands_final.replaced(told.extend):
        yield told


@pytest.fixture
def robot(transactional_db: None, final_commands: list[UUID]) -> Robot:
    caches.forget()
    return create_robot(slug="demo", name="客服机器人", robot_id=ROBOT_ID, mode=Mode.AUTOMATIC, actor="test")


@pytest.fixture
def no_dead_rows(robot: Robot) -> None:
    """Rows of earlier tests are gone, but for their room in table and indexes: for tests that look at a plan."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE robots_command CASCADE")


@pytest.fixture
def conversation(robot: Robot) -> Conversation:
    return conversation_in(robot, ROOM)


def conversation_in(robot: Robot, name: str, person: str = "张三") -> Conversation:
    room, _ = Room.objects.get_or_create(
        robot=robot, is_group=True, address=name, defaults={"name": name, "room_type": RoomType.EXTERNAL_GROUP}
    )
    return Conversation.objects.get_or_create(room=room, sender_name=person, defaults={"robot": robot})[0]


Queue = Callable[..., Command]


@pytest.fixture
def queue(conversation: Conversation) -> Queue:
    """Queue one command: ``queue("收到", room="客服群", kind=203, priority=…, expires_at=…, owner_epoch=…)``."""

    def queue_one(text: str = "收到，马上查", room: str = ROOM, **more: Any) -> Command:
        talk = conversation if room == ROOM else conversation_in(conversation.robot, room)
        return queue_command(talk, text, **more)

    return queue_one


def queue_command(conversation: Conversation, text: str, **more: Any) -> Command:
    kind = more.setdefault("kind", 203)
    target = conversation.room.address
    more.setdefault("payload", {"type": kind, "titleList": [target], "receivedContent": text})
    more.setdefault("created_at", now())
    more.setdefault("expires_at", now() + timedelta(minutes=3))
    new = NewCommand(
        id=uuid7(),
        robot_id=conversation.robot_id,
        room_id=conversation.room_id,
        conversation_id=conversation.pk,
        target=target,
        text=text,
        **{"priority": Priority.REPLY, "owner_epoch": conversation.owner_epoch, **more},
    )
    with transaction.atomic(), connection.cursor() as cursor:
        insert_commands(cursor, [new])
    return Command.objects.get(pk=new.id)


def state_of(command: Command) -> str:
    return Command.objects.values_list("state", flat=True).get(pk=command.pk)


def ago(seconds: float) -> datetime:
    return now() - timedelta(seconds=seconds)
