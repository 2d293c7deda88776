from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from worktool_ai.events import relay
from worktool_ai.lib import memory, watchdog
from worktool_ai.lib.heartbeats import beat


class Command(BaseCommand):
    help = "Publish event rows to the live stream, in order and behind every open transaction."
    #: ``prepare`` has run them; they load every page of the admin, which is never shown here.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        watchdog.feed()
        memory.settle()
        relay.run(stop, lambda: beat("relay"))
