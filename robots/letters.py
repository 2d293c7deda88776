"""What will happen to dead letters that are handled again, told before anybody does it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from robots.inbound.body import BadBody, decode
from robots.models import DeadLetter, InboxEntry, Message, Reason
from robots.models.inbound import CallbackKind
from worktool_ai.lib import clock

__all__ = ["Fate", "Forecast", "forecasts"]

_LINES = (CallbackKind.MESSAGE, CallbackKind.BACKFILL)


class Fate(TextChoices):
    ANSWERED = "answered", _("It is stored and may be answered, like a line that comes now.")
    STALE = "stale", _("It is stored, but too old to be answered.")
    SILENT = "silent", _("It is stored, and not answered: its robot is switched off.")
    RECORDED = "recorded", _("It is recorded; it is no line that could be answered.")
    UNREADABLE = "unreadable", _("It cannot be read and will come back here.")
    HANDLED = "handled", _("It has been handled already: nothing will change.")
    WAITING = "waiting", _("It waits to be handled again already.")
    NO_ROBOT = "no_robot", _("Its robot is gone: it stays here.")


@dataclass(frozen=True, slots=True)
class Forecast:
    letter: DeadLetter
    fate: Fate

    @property
    def changes_something(self) -> bool:
        return self.fate not in (Fate.HANDLED, Fate.WAITING, Fate.NO_ROBOT)


def forecasts(letters: Iterable[DeadLetter]) -> list[Forecast]:
    """Say of each letter what :func:`robots.services.redrive` will lead to, as things stand now."""
    rows = list(letters)
    ids = [letter.pk for letter in rows]
    lines = Message.objects.filter(pk__in=ids).exclude(reason=Reason.DEAD_LETTER, run_id=None)
    handled: set[Any] = set(lines.values_list("pk", flat=True))
    waiting: set[Any] = set(InboxEntry.objects.filter(pk__in=ids).values_list("pk", flat=True))
    return [Forecast(letter, _fate(letter, handled, waiting)) for letter in rows]


def _fate(letter: DeadLetter, handled: set[UUID], waiting: set[UUID]) -> Fate:
    if letter.robot is None:
        return Fate.NO_ROBOT
    if letter.pk in waiting:
        return Fate.WAITING
    if letter.pk in handled:
        return Fate.HANDLED
    if not _is_readable(letter):
        return Fate.UNREADABLE
    if letter.kind not in _LINES:
        return Fate.RECORDED
    if not letter.robot.is_active:
        return Fate.SILENT
    is_stale = clock.now() - letter.received_at > timedelta(seconds=letter.robot.line_fresh_s)
    return Fate.STALE if is_stale else Fate.ANSWERED


def _is_readable(letter: DeadLetter) -> bool:
    try:
        decode(bytes(letter.body), letter.content_type)
    except BadBody:
        return False
    return True
