"""What people are told about commands: errors, and taking them back."""

from __future__ import annotations

from django.utils.translation import gettext as _

from robots.error_codes import describe
from robots.models import Command, CommandState, Owner

__all__ = ["cancelling", "error_of"]

_ON_ITS_WAY = (CommandState.QUEUED, CommandState.SENDING)
_TOLD = (CommandState.ACCEPTED, CommandState.DONE, CommandState.PARTIAL)
_EXECUTED = (CommandState.DONE, CommandState.PARTIAL)


def cancelling(command: Command) -> str:
    """Say who wanted an accepted command back and how that ended; empty when nobody did.

    Reads ``cancellation``, ``conversation``: select them along with a list.
    """
    control: Command | None = getattr(command, "cancellation", None)
    if control is None:
        return _("Could not be taken back: the platform gave no id for it.") if _is_out_of_reach(command) else ""
    names = {"who": control.requested_by or "—", "why": control.error_reason or control.get_state_display()}
    if command.state in _EXECUTED:
        return _("%(who)s wanted it back, but the phone had already done it.") % names
    if control.state in _ON_ITS_WAY:
        return _("%(who)s wants it back: the platform is being told.") % names
    if control.state in _TOLD:
        return _("Taken out of the phone's queue for %(who)s; nobody confirms that it was in time.") % names
    if control.state == CommandState.UNKNOWN:
        return _("%(who)s wanted it back; nobody can say yet whether the platform was told.") % names
    return _("Could not be taken back for %(who)s: %(why)s") % names


def error_of(command: Command) -> str:
    """Return the platform's words about a command, and what an operator can do about them; empty for neither."""
    if command.error_code is None:
        return command.error_reason
    known = describe(command.error_code)
    told = [f"{known.code} {known.meaning}", command.error_reason, str(known.advice)]
    return " · ".join(part for part in told if part)


def _is_out_of_reach(command: Command) -> bool:
    conversation = command.conversation
    return (
        command.state == CommandState.ACCEPTED
        and not command.platform_id
        and conversation is not None
        and conversation.owner == Owner.HUMAN
        and command.owner_epoch is not None
        and command.owner_epoch < conversation.owner_epoch
    )
