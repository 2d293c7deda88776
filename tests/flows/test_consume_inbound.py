"""The consumer as a process: it stops when told, and a kill at any instant loses and doubles nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from django.db import connection

from robots.models import Message, Robot
from robots.stream import fields_of, partitions, stream_of
from tests.polling import eventually
from tests.robots.inbound.builders import callback, line, make_robot

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def consumer(**environment: str) -> Iterator[subprocess.Popen[bytes]]:
    url, _, _name = os.environ["DATABASE_URL"].rpartition("/")
    own = {"DATABASE_URL": f"{url}/{connection.settings_dict['NAME']}", **environment}
    command = [sys.executable, "manage.py", "consume_inbound"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **own}, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def test_killed_before_and_after_its_commit_and_stopped_in_order(durable_redis: redis.Redis):
    robot = make_robot()
    said = say(durable_redis, robot)
    with consumer(FAILPOINTS="consumer.before_commit=kill") as process:
        assert process.wait(40) == -signal.SIGKILL
    assert not Message.objects.exists()
    with consumer(FAILPOINTS="consumer.committed=kill") as process:
        assert process.wait(40) == -signal.SIGKILL
    assert Message.objects.count() == len(said)
    assert waiting(durable_redis) == len(said)
    with consumer() as process:
        eventually(lambda: waiting(durable_redis) == 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert list(Message.objects.order_by("id").values_list("text", flat=True)) == said


def say(client: redis.Redis, robot: Robot) -> list[str]:
    texts = [f"第{number}句" for number in range(5)]
    for text in texts:
        one = callback(robot.pk, line(text))
        client.xadd(stream_of(one.partition), fields_of(one))
    return texts


def waiting(client: redis.Redis) -> int:
    return sum(client.xlen(stream_of(number)) for number in partitions())
