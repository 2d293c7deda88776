"""Days and months begin at midnight in China."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from personas.budgets.periods import span


@pytest.mark.parametrize(
    ("moment", "day", "month"),
    [
        ("2026-11-22T15:59:59", "2026-11-22", "2026-11"),
        ("2026-11-22T16:00:00", "2026-11-23", "2026-11"),
        ("2026-11-30T16:00:00", "2026-12-01", "2026-12"),
        ("2026-12-31T16:00:00", "2027-01-01", "2027-01"),
        ("2028-02-28T16:00:00", "2028-02-29", "2028-02"),
    ],
)
def test_the_day_turns_at_sixteen_hours_utc(moment: str, day: str, month: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert (span("day", at).name, span("month", at).name) == (day, month)
    for period in ("day", "month"):
        found = span(period, at)
        assert found.start <= at < found.end
        assert span(period, found.end).start == found.end
        assert span(period, found.end).name > found.name
