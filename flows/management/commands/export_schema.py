from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from flows.context import json_schema

PUBLISHED = Path("docs/schema/standard-context.json")


class Command(BaseCommand):
    help = "Write the JSON Schema of the StandardContext to docs/schema/standard-context.json."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is out of date")
        parser.add_argument("--file", type=Path, default=settings.BASE_DIR / PUBLISHED, help=f"default {PUBLISHED}")

    def handle(self, *args: Any, check: bool, file: Path, **options: Any) -> None:
        wanted = json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(wanted, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != wanted:
            raise CommandError(f"{file} is out of date: run `manage.py export_schema`")
