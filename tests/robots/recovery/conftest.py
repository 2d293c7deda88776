"""A platform whose callbacks can be lost, a robot of ours there, and the way that a line takes on our side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from robots import caches
from robots.inbound import inbox
from robots.inbound.store import StoredLine, store_batch
from robots.models import CallbackGap, GapCause, Message, Mode, Robot
from robots.recovery import gaps, looking
from robots.services import create_robot
from robots.simulator.testing import SimulatorClient, running_simulator
from robots.stream import Callback, partition_of, partitions
from tests.robots.inbound.builders import encode
from tests.simulator.door import ROBOT, ROOM, open_door
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

LAST_ID = UUID(int=2**128 - 1)


@pytest.fixture
def simulator(settings: Settings) -> Iterator[SimulatorClient]:
    """Whoever answers its callbacks forgets them: nothing of it reaches our stores."""
    with open_door() as door, running_simulator() as client:
        door.connect(client)
        settings.WORKTOOL_BASE_URL = client.url
        settings.WORKTOOL_REQUEST_LIMIT = 1000
        yield client


@pytest.fixture
def robot(transactional_db: None) -> Robot:
    caches.forget()
    return create_robot(slug="demo", name="客服机器人", robot_id=ROBOT, mode=Mode.AUTOMATIC, actor="test")


class Away:
    """Says lines at the platform while our door is away, and plays door, consumer and recovery."""

    def __init__(self, simulator: SimulatorClient, robot: Robot) -> None:
        self.simulator, self.robot = simulator, robot
        self.since = clock.now()

    def say(self, text: str, sender: str = "张三", room: str | None = ROOM, **more: Any) -> str | None:
        said: str | None = self.simulator.say(ROBOT, sender, text, room, **more)["messageId"]
        return said

    def log(self) -> list[Any]:
        """The platform's log, newest first."""
        rows: list[Any] = self.simulator.call("GET", "/robot/qaLog/list", ROBOT, size=200)["data"]["list"]
        return rows

    def open_gap(self, cause: GapCause = GapCause.DOWNTIME) -> CallbackGap:
        """The outage, noticed now and due at once."""
        gaps.open_gap(self.robot, cause, self.since, clock.now())
        return self.due()

    def due(self) -> CallbackGap:
        CallbackGap.objects.update(due_at=clock.now())
        return CallbackGap.objects.latest("created_at")

    def door(self, text: str, sender: str = "张三", room: str = ROOM, **fields: Any) -> Callback:
        """What the door makes of a line that did reach it."""
        at: datetime = fields.pop("at", clock.now())
        body = {"spoken": text, "rawSpoken": text, "receivedName": sender, "groupName": room, "roomType": 1}
        encoded = encode({**body, "atMe": "false", "textType": 1, **fields})
        partition = partition_of(self.robot.pk, fields.get("groupRemark") or room)
        return Callback(uuid7(), "message", self.robot.pk, partition, at, "application/json", encoded)


@pytest.fixture
def away(simulator: SimulatorClient, robot: Robot, monkeypatch: pytest.MonkeyPatch) -> Away:
    # what was said this very second is complete: nothing is under way in these tests
    monkeypatch.setattr(looking, "SETTLED", timedelta(seconds=-1))
    return Away(simulator, robot)


@pytest.fixture
def consume() -> Callable[[], list[StoredLine]]:
    """Store what the inbox holds, as the consumer does; returns the lines that may start a run."""

    def _consume() -> list[StoredLine]:
        with transaction.atomic():
            taken = inbox.take(dict.fromkeys(partitions(), LAST_ID)).callbacks
            return store_batch(taken).lines if taken else []

    return _consume


def texts() -> list[str]:
    """The lines that were kept, in order."""
    return list(Message.objects.filter(duplicate_of=None).order_by("pk").values_list("text", flat=True))
