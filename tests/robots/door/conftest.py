from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import redis

from robots.models import Robot
from robots.stream import Callback, from_fields, partitions, stream_of
from tests.robots.door.client import DoorClient, open_door
from tests.robots.inbound.builders import make_robot


@pytest.fixture
def robot(transactional_db: None) -> Robot:
    """The demo robot, committed: the door has connections of its own."""
    return make_robot()


@pytest_asyncio.fixture
async def door(robot: Robot) -> AsyncIterator[DoorClient]:
    """A door that knows the demo robot."""
    async with open_door() as client:
        yield client


class Stream:
    """What lies in the inbound stream."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def callbacks(self) -> list[Callback]:
        found: Any = [(number, self._client.xrange(stream_of(number))) for number in partitions()]
        return [from_fields(number, fields) for number, entries in found for _id, fields in entries]

    def __len__(self) -> int:
        return len(self.callbacks())


@pytest.fixture
def stream(durable_redis: redis.Redis) -> Stream:
    return Stream(durable_redis)
