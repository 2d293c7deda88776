from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from worktool_ai.lib.sealed_rows import unreadable


class Command(BaseCommand):
    help = "Name every stored secret that no key in ENCRYPTION_KEYS opens. Exit code 1 when there is one."

    def handle(self, *args: Any, **options: Any) -> None:
        found = [str(one) for one in unreadable()]
        for line in found:
            self.stdout.write(line)
        if found:
            raise CommandError(
                f"{len(found)} secrets cannot be opened: put their key back into ENCRYPTION_KEYS, or enter them again"
            )
        self.stdout.write("every stored secret can be opened")
