"""Colours of states and reasons: what went well, what a person should look at; the rest is neutral."""

from __future__ import annotations

from robots.models import CommandState, Owner, Reason

__all__ = ["LINE_COLOURS", "OWNER_COLOURS", "STATE_COLOURS"]

_ON_THE_WAY = (CommandState.QUEUED, CommandState.SENDING, CommandState.ACCEPTED)
_DOUBTFUL = (CommandState.PARTIAL, CommandState.UNKNOWN, CommandState.WITHDRAWN_UNCONFIRMED, CommandState.EXPIRED)
_FAILED = (CommandState.FAILED, CommandState.NOT_ACCEPTED)
STATE_COLOURS = (
    dict.fromkeys(_ON_THE_WAY, "info")
    | dict.fromkeys(_DOUBTFUL, "warning")
    | dict.fromkeys(_FAILED, "danger")
    | {CommandState.DONE: "success", CommandState.DRAFT: "primary"}
)

_GOOD = (Reason.ANSWERED, Reason.ANSWERED_BY_COLLEAGUE)
_LOOK = (Reason.HANDED_OVER, Reason.ASKED_BACK, Reason.DRAFT_ONLY, Reason.STALE_LINE, Reason.STALE_REPLY)
_BAD = (Reason.SEND_FAILED, Reason.SEND_UNKNOWN, Reason.FLOW_FAILED, Reason.DEAD_LETTER)
_REASON_COLOURS = (
    dict.fromkeys(_GOOD, "success") | dict.fromkeys(_LOOK, "warning") | dict.fromkeys(_BAD, "danger") | {"open": "info"}
)
#: Of any line: a customer's by its reason (``open`` without one), the robot's own by the state of its command.
LINE_COLOURS = STATE_COLOURS | _REASON_COLOURS

OWNER_COLOURS = {Owner.ROBOT: "success", Owner.HUMAN: "warning"}
