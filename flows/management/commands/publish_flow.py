from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flows.graph import GraphError
from flows.models import Flow
from flows.services import publish


class Command(BaseCommand):
    help = "Validate a graph (JSON file) and publish it as the next version of a flow."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the graph: nodes and edges, as exported by the editor")
        parser.add_argument("--flow", default="standard", help="slug of the flow; made when it does not exist")
        parser.add_argument("--note", default="", help="what changed")

    def handle(self, *args: Any, file: Path, flow: str, note: str, **options: Any) -> None:
        try:
            graph = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"{file} cannot be read as JSON: {error}") from error
        row, _made = Flow.objects.get_or_create(slug=flow, defaults={"name": flow})
        try:
            version = publish(row, graph, actor=None, note=note)
        except GraphError as error:
            raise CommandError(f"not published:\n{error}") from error
        self.stdout.write(f"published {version.flow.slug} version {version.number} ({version.pk})")
