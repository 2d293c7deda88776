"""Several waits at once, in threads and in greenlets."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from worktool_ai.lib.concurrency import run_all


def test_all_run_at_the_same_time() -> None:
    together = threading.Barrier(3, timeout=5)
    run_all([together.wait] * 3)


def test_one_error_does_not_stop_the_others() -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("one of three")

    with pytest.raises(ValueError, match="one of three"):
        run_all([lambda: done.append(1), fail, lambda: done.append(2)])
    assert sorted(done) == [1, 2]


def test_nothing_to_do() -> None:
    run_all([])


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import threading
from worktool_ai.lib.concurrency import run_all
together = threading.Barrier(100, timeout=5)
seen = set()
def wait():
    seen.add(type(__import__("gevent").getcurrent()).__name__)
    together.wait()
run_all([wait] * 100)
assert seen == {"Greenlet"}, seen
"""


def test_greenlets_under_gevent() -> None:
    done = subprocess.run([sys.executable, "-c", GREENLETS], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
