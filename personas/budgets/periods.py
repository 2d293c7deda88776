"""Days and months as budgets count them: those of China, whatever zone the server is in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

__all__ = ["CHINA", "Period", "Span", "span"]

CHINA = ZoneInfo("Asia/Shanghai")


class Period(TextChoices):
    DAY = "day", _("a day")
    MONTH = "month", _("a month")


@dataclass(frozen=True, slots=True)
class Span:
    """One day or month: from ``start`` to before ``end``. Later ones have greater names."""

    name: str
    start: datetime
    end: datetime


def span(period: str, moment: datetime) -> Span:
    """Return the day or month in China in which a moment lies."""
    midnight = moment.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == Period.DAY:
        return Span(f"{midnight:%Y-%m-%d}", midnight, midnight + timedelta(days=1))
    first = midnight.replace(day=1)
    return Span(f"{first:%Y-%m}", first, (first + timedelta(days=32)).replace(day=1))
