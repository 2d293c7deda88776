"""A process's sign of life to its supervisor: a byte a second through the pipe named by WATCHDOG_FD.

A process that dies is noticed by itself; one that hangs or was stopped is noticed by its silence, killed and started
again (:mod:`worktool_ai.supervisor.pulse`). Without a supervisor nothing happens here.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress

__all__ = ["EVERY_S", "VARIABLE", "feed", "pulse"]

VARIABLE = "WATCHDOG_FD"
EVERY_S = 1.0


def pulse() -> None:
    """Show once that this process runs; never blocks and never fails."""
    fd = os.environ.get(VARIABLE)
    if fd:
        # full: the supervisor is behind and has enough to read; broken: it is gone, and we are about to be
        with suppress(OSError):
            os.write(int(fd), b".")


def feed() -> None:
    """Go on showing it from a thread of its own; under gevent that is a greenlet, which shows that the hub runs."""
    if os.environ.get(VARIABLE):
        threading.Thread(target=_feed, name="watchdog", daemon=True).start()


def _feed() -> None:
    while True:
        pulse()
        time.sleep(EVERY_S)
