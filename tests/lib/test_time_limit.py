"""A limit on a block that waits: kept where gevent runs the process, honestly absent in plain threads."""

from __future__ import annotations

import subprocess
import sys
import time

from worktool_ai.lib.concurrency import time_limit

SCRIPT = """
from gevent import monkey
monkey.patch_all()
import time
from worktool_ai.lib.concurrency import run_all, time_limit

told = []

def hang():
    try:
        with time_limit(0.1, RuntimeError("late")):
            time.sleep(30)
    except RuntimeError as error:
        told.append(str(error))

run_all([hang, lambda: told.append("other")])
print(",".join(told))
"""


def test_under_gevent_a_block_that_waits_too_long_is_ended_and_others_go_on():
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout.strip() == "other,late"


def test_in_a_plain_thread_a_block_just_runs():
    with time_limit(0.001, RuntimeError("late")):
        time.sleep(0.01)
