"""A conversation as people read it before they answer: its newest lines, and how each of them stands. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from robots.models import CommandState, Conversation, Direction, Message
from robots.recalls import outcome_of
from robots.waiting import why_waiting
from robots.wording import error_of

__all__ = ["LINES", "Line", "last_lines", "what_waits"]

LINES = 30
_TEXT = 1


@dataclass(frozen=True, slots=True)
class Line:
    """One line. ``state`` is the command's of ours, the reason of a customer's (empty while in hand); ``why`` tells
    more in words; ``by`` is who wrote one of ours by hand.
    """

    at: datetime
    who: str
    text: str
    is_ours: bool
    is_text: bool
    state: str
    state_text: str
    why: str = ""
    by: str = ""


def last_lines(conversation: Conversation) -> list[Line]:
    """Return the newest lines of both sides, oldest first."""
    rows = Message.objects.filter(conversation=conversation).select_related("robot", "command__recall")
    newest = list(rows.order_by("-received_at", "-id")[:LINES])
    return [_ours(row) if row.direction == Direction.OUT else _theirs(row) for row in reversed(newest)]


def what_waits(conversation: Conversation) -> list[str]:
    """Say what keeps the room's queue; empty when nothing waits there."""
    return why_waiting(conversation.room)


def _theirs(row: Message) -> Line:
    text = str(row.get_reason_display()) if row.reason else _("in hand")
    return Line(row.received_at, row.sender_name, row.text, False, row.text_type == _TEXT, row.reason, text)


def _ours(row: Message) -> Line:
    command = getattr(row, "command", None)
    shown = Line(row.received_at, row.robot.name, row.text, True, row.text_type == _TEXT, "", "")
    if command is None:
        return shown
    recalled = outcome_of(command)
    error = "" if command.state == CommandState.DONE else error_of(command)
    why = " · ".join(part for part in (error, str(recalled.label) if recalled else "") if part)
    return Line(
        shown.at,
        shown.who,
        shown.text,
        True,
        shown.is_text,
        command.state,
        str(command.get_state_display()),
        why,
        command.requested_by,
    )
