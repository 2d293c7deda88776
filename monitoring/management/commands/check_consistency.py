from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware

from monitoring.consistency import Finding, Span, examine, summary
from monitoring.consistency.examining import GRACE


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is no time: write it as 2026-11-22T08:00:00")
    return make_aware(moment) if is_naive(moment) else moment


class Command(BaseCommand):
    help = (
        "Check that stored lines, runs, commands, counters and events agree with each other. Changes nothing. Exit code"
        " 0 when they do, else 1; the last line of stdout is a JSON object."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", type=_moment, help="look at rows from then on (default: as long as all is kept)")
        parser.add_argument(
            "--grace",
            type=float,
            default=GRACE.total_seconds(),
            metavar="SECONDS",
            help="leave out what is younger and may be under way (default %(default)s)",
        )

    def handle(self, *args: Any, since: datetime | None, grace: float, **options: Any) -> None:
        found: list[Finding] = []
        for finding in examine(Span.of(since, timedelta(seconds=grace))):
            found.append(finding)
            self._show(finding)
        told = summary(found)
        self.stdout.write(json.dumps(told))
        if told["inconsistencies"]:
            self.stdout.flush()
            sys.exit(1)

    def _show(self, finding: Finding) -> None:
        mark = self.style.ERROR(f"{finding.number:>6}") if finding.number else f"{0:>6}"
        self.stdout.write(f"{mark}  {finding.check.name}: {finding.check.tells}")
        if finding.ids:
            more = " …" if finding.number > len(finding.ids) else ""
            self.stdout.write(f"        {' '.join(finding.ids)}{more}")
