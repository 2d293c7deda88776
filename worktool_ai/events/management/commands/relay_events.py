from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from worktool_ai.events.process import serve


class Command(BaseCommand):
    help = "Publish event rows to the live stream, in order and behind every open transaction."
    #: ``prepare`` has run them; they load every page of the admin, which is never shown here.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        serve()
