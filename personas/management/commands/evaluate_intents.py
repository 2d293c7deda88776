from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from personas.evaluating import LineError, evaluate, known_labels, read_lines

#: What is printed; the rest stands in the JSON document.
TOLD = ("n", "macro_f1", "macro_f1_answered", "abstention", "wrong_share", "p95_ms", "load_s")


class Command(BaseCommand):
    help = "Judge the local recogniser (rules and small model) by a file of labelled lines. Asks no vendor."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help='JSON lines {"text", "label"}; label is intent or intent/topic')
        parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures as one JSON document")
        parser.add_argument("--predictions", type=Path, metavar="OUT", help="write what was said of each line")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            lines = read_lines(file, *known_labels())
        except (LineError, OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file}: {error}", returncode=2) from error
        done = evaluate(lines)
        if out := options["json"]:
            out.write_text(json.dumps(done.report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        if out := options["predictions"]:
            rows = (json.dumps(row, ensure_ascii=False) for row in done.predictions())
            out.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        for name in TOLD:
            self.stdout.write(f"{name:>18} {done.report[name]}")
        for label, row in done.report["per_class"].items():
            self.stdout.write(
                f"{row['f1']:.2f}  p {row['precision']:.2f}  r {row['recall']:.2f}  {row['n']:>4}  {label}"
            )
