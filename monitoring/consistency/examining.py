"""Running the checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from monitoring.consistency.checks import CHECKS, Check
from worktool_ai.events.reader import KEPT
from worktool_ai.lib import clock

__all__ = ["GRACE", "Finding", "Span", "examine", "summary"]

#: What is younger may still be under way.
GRACE = timedelta(seconds=60)
#: Shown of a finding.
MAX_IDS = 10
#: Rows that are about to be deleted by age may lack what was deleted a little earlier.
MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when facts are looked at."""

    since: datetime
    before: datetime
    told: datetime

    @classmethod
    def of(cls, since: datetime | None = None, grace: timedelta = GRACE) -> Span:
        """``since`` None: as far back as everything is kept."""
        now = clock.now()
        kept = now - timedelta(days=settings.RETENTION_DAYS) + MARGIN
        since = max(since, kept) if since else kept
        return cls(since=since, before=now - grace, told=max(since, now - KEPT))


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: how many rows, and the first ids."""

    check: Check
    number: int
    ids: tuple[str, ...]


def examine(span: Span) -> Iterator[Finding]:
    """Run every check; each sees one moment of the database."""
    parameters = {"since": span.since, "before": span.before, "told": span.told}
    for check in CHECKS:
        with connection.cursor() as cursor:
            cursor.execute(check.query, parameters)
            number, ids = _counted(cursor)
        yield Finding(check, number, ids)


def _counted(cursor: Any) -> tuple[int, tuple[str, ...]]:
    first = [str(row[0]) for row in cursor.fetchmany(MAX_IDS)]
    return max(cursor.rowcount, len(first)), tuple(first)


def summary(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what scripts read: ``{"version", "checks": {name: number}, "inconsistencies"}``."""
    return {
        "version": 1,
        "checks": {finding.check.name: finding.number for finding in findings},
        "inconsistencies": sum(finding.number for finding in findings),
    }
