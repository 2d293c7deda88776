"""A queue for the product, and processes that work on it beside its own worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.chaos.stack import ChaosStack
from worktool_ai.supervisor.environment import ROOT

__all__ = ["SEND", "queue", "running"]

SEND = """
import time
from robots import outbox
while True:
    outbox.drain()
    time.sleep(0.05)
"""

_QUEUE = """
from robots.hotpath import NewCommand, insert_commands
from robots.models import Robot
from django.db import connection, transaction
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7
robot = Robot.objects.get(slug="demo")
rows = [
    NewCommand(id=uuid7(), robot_id=robot.pk, kind=%(kind)d, target=room, text="", created_at=now(),
               payload={"type": %(kind)d, **%(payload)s})
    for room in (f"群{number}" for number in range(%(count)d))
]
with transaction.atomic(), connection.cursor() as cursor:
    insert_commands(cursor, rows)
"""


def queue(stack: ChaosStack, count: int, kind: int, payload: str) -> None:
    """Queue a command for each of ``count`` rooms; ``payload`` is Python for its further fields, of ``room``."""
    _shell(stack, _QUEUE % {"count": count, "kind": kind, "payload": payload}).wait()


def _shell(stack: ChaosStack, code: str) -> subprocess.Popen[bytes]:
    """Run Python in the product's environment; what it prints goes to the log of the stack."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT, env=stack.environment, stdout=stack.log_file, stderr=subprocess.STDOUT,
    )  # fmt: skip


@contextmanager
def running(stack: ChaosStack, codes: Sequence[str]) -> Iterator[None]:
    """Run these for the length of the block; with :data:`SEND` each is one more sender beside the worker."""
    processes = [_shell(stack, code) for code in codes]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
