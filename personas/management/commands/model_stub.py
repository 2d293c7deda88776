"""``manage.py model_stub``: only parses options; the stub itself knows nothing of Django."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from personas.model_stub.server import add_arguments, serve
from worktool_ai.lib.loopback import StartRefused


class Command(BaseCommand):
    help = "Answer as an OpenAI-compatible model on the loopback interface, for tests and load."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            serve(port=options["port"], latency=options["latency"])
        except StartRefused as refused:
            raise CommandError(str(refused)) from refused
