"""How a line stands, in the five words of the business panel (seed §5.1), from reasons and command states."""

from __future__ import annotations

from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from robots.models import Command, CommandState, Direction, Message, Reason

__all__ = ["COMMAND_STATES", "REASON_STATES", "LineState", "state_filter", "state_of"]


class LineState(TextChoices):
    PROCESSING = "processing", _("Being handled")
    REPLIED = "replied", _("Replied")
    SILENT = "silent", _("Silent")
    HANDED_OVER = "handed_over", _("Handed over")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Unknown")


#: Every reason that is not named here means silence, with its own sentence.
REASON_STATES: dict[str, LineState] = {
    Reason.ANSWERED: LineState.REPLIED,
    Reason.ANSWERED_BY_COLLEAGUE: LineState.REPLIED,
    Reason.ASKED_BACK: LineState.REPLIED,
    Reason.HANDED_OVER: LineState.HANDED_OVER,
    Reason.SEND_FAILED: LineState.FAILED,
    Reason.FLOW_FAILED: LineState.FAILED,
    Reason.DEAD_LETTER: LineState.FAILED,
    Reason.SEND_UNKNOWN: LineState.UNKNOWN,
}
COMMAND_STATES: dict[str, LineState] = {
    CommandState.QUEUED: LineState.PROCESSING,
    CommandState.SENDING: LineState.PROCESSING,
    CommandState.ACCEPTED: LineState.REPLIED,
    CommandState.DONE: LineState.REPLIED,
    CommandState.PARTIAL: LineState.REPLIED,
    CommandState.COVERED: LineState.REPLIED,
    CommandState.FAILED: LineState.FAILED,
    CommandState.NOT_ACCEPTED: LineState.FAILED,
    CommandState.UNKNOWN: LineState.UNKNOWN,
    CommandState.WITHDRAWN_UNCONFIRMED: LineState.UNKNOWN,
}


def state_of(message: Message, command: Command | None) -> LineState:
    """Return how a line stands; ``command`` is that of a robot's line."""
    if message.direction == Direction.OUT:
        return COMMAND_STATES.get(command.state, LineState.SILENT) if command else LineState.REPLIED
    if message.settled_at is None:
        return LineState.PROCESSING
    return REASON_STATES.get(message.reason, LineState.SILENT)


def state_filter(state: str) -> Q:
    """Return the condition on messages that :func:`state_of` gives as ``state``."""
    incoming, outgoing = Q(direction=Direction.IN), Q(direction=Direction.OUT)
    if state == LineState.PROCESSING:
        reasons = Q(settled_at__isnull=True)
    elif state == LineState.SILENT:
        reasons = Q(settled_at__isnull=False) & ~Q(reason__in=list(REASON_STATES))
    else:
        reasons = Q(settled_at__isnull=False, reason__in=_keys(REASON_STATES, state))
    if state == LineState.SILENT:
        commands = Q(command__isnull=False) & ~Q(command__state__in=list(COMMAND_STATES))
    else:
        commands = Q(command__state__in=_keys(COMMAND_STATES, state))
    if state == LineState.REPLIED:
        commands |= Q(command__isnull=True)
    return incoming & reasons | outgoing & commands


def _keys(table: dict[str, LineState], state: str) -> list[str]:
    return [key for key, value in table.items() if value == state]
