"""``manage.py worktool_simulator``: only parses options; the simulator itself knows nothing of Django."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from robots.simulator.server import add_arguments, serve
from worktool_ai.lib.loopback import StartRefused


class Command(BaseCommand):
    help = "Play the WorkTool platform and a phone on the loopback interface, with a chat page at /."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("port", "token", "pace", "limit", "robot")
        try:
            serve(**{name: options[name] for name in names})
        except StartRefused as refused:
            raise CommandError(str(refused)) from refused
