"""The relay's process."""

from __future__ import annotations

import signal
import threading

from worktool_ai.events import relay
from worktool_ai.lib import memory, watchdog
from worktool_ai.lib.heartbeats import beat

__all__ = ["serve"]


def serve() -> None:
    """Relay until SIGINT or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    watchdog.feed()
    memory.settle()
    relay.run(stop, lambda: beat("relay"))
