"""``manage.py consume_inbound``: the process between the door and the engine."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from flows import doorbell, services
from flows.consumer import Consumer
from robots.stream import partitions
from worktool_ai.lib import memory, watchdog


class Command(BaseCommand):
    help = "Store what the door has taken and queue its runs. A second one stands by for the partitions of the first."
    #: ``prepare`` has run them; they load every page of the admin, which is never shown here.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--partitions", help="only these, e.g. 0-3, to share the work between machines (default: all)"
        )

    def handle(self, *args: Any, partitions: str | None, **options: Any) -> None:
        consumer = Consumer(services.start_runs, doorbell.ring, wanted=_parsed(partitions))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: consumer.stop())
        watchdog.feed()
        memory.settle()
        consumer.run()


def _parsed(text: str | None) -> range:
    if text is None:
        return partitions()
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)
