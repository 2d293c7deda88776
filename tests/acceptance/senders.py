"""Processes that work on the product's own queue, beside its own worker."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.chaos.stack import ChaosStack
from worktool_ai.supervisor.environment import ROOT

__all__ = ["SEND", "running", "shell"]

SEND = """
import time
from robots import outbox
while True:
    outbox.drain()
    time.sleep(0.05)
"""


def shell(stack: ChaosStack, code: str) -> subprocess.Popen[bytes]:
    """Run Python in the product's environment; what it prints goes to the log of the stack."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT, env=stack.environment, stdout=stack.log_file, stderr=subprocess.STDOUT,
    )  # fmt: skip


@contextmanager
def running(stack: ChaosStack, codes: Sequence[str]) -> Iterator[None]:
    """Run these for the length of the block; with :data:`SEND` each is one more sender beside the worker."""
    processes = [shell(stack, code) for code in codes]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
