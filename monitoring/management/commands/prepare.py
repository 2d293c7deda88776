from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from monitoring import unreadable_secrets


class Command(BaseCommand):
    help = "Bring the database up to date before the first process starts: tables, preset rows, first login."

    def handle(self, *args: Any, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if pending:
            self.stdout.write(f"applying {len(pending)} migrations …")
            call_command("migrate", interactive=False, verbosity=0)
        self.stdout.write("planting preset rows …")
        call_command("seed", stdout=self.stdout)
        call_command("ensure_admin", stdout=self.stdout)
        for problem in unreadable_secrets.watch():
            self.stderr.write(self.style.ERROR(f"cannot be decrypted: {problem}"))
