"""Taking back the robot's last line in a room (command 226), within the platform's two minutes. Never repeated.

The outcome is the state of the 226: the command that it takes back keeps its own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import TextChoices
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from robots import doorbell
from robots.clearing import RECALL
from robots.models import Command, CommandState
from robots.models.commands import Priority
from robots.unknown_sends import Refused
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, User
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

__all__ = ["WITHIN", "RecallOutcome", "outcome_of", "recall", "why_not_recalled"]

#: WeCom recalls a line of an external chat for about so long after it was said.
WITHIN = timedelta(seconds=120)
#: Text: the only kind whose content the platform finds again by its words.
TEXT, TEXT_TYPE = 203, 1
SAID = (CommandState.ACCEPTED, CommandState.DONE, CommandState.PARTIAL)
#: What the phone says when the menu does not offer recalling any more (worktool-api.md §5).
BUTTON_NOT_FOUND = 201103


class RecallOutcome(TextChoices):
    UNDER_WAY = "under_way", gettext_lazy("being taken back")
    RECALLED = "recalled", gettext_lazy("taken back")
    TOO_LATE = "too_late", gettext_lazy("too late to take back")
    FAILED = "failed", gettext_lazy("could not be taken back")
    UNKNOWN = "unknown", gettext_lazy("nobody knows whether it was taken back")


_UNDER_WAY = (CommandState.QUEUED, CommandState.SENDING, CommandState.ACCEPTED)


def outcome_of(command: Command) -> RecallOutcome | None:
    """Return how taking a command's line back has ended; None when nobody wanted to. Reads ``recall``."""
    wanted: Command | None = getattr(command, "recall", None)
    if wanted is None:
        return None
    if wanted.state in _UNDER_WAY:
        return RecallOutcome.UNDER_WAY
    if wanted.state == CommandState.DONE:
        return RecallOutcome.RECALLED
    if wanted.state == CommandState.UNKNOWN:
        return RecallOutcome.UNKNOWN
    late = wanted.state == CommandState.EXPIRED or wanted.error_code == BUTTON_NOT_FOUND
    return RecallOutcome.TOO_LATE if late else RecallOutcome.FAILED


def why_not_recalled(command: Command) -> str:
    """Say why a command's line cannot be taken back; empty when it can."""
    if command.kind != TEXT or command.state not in SAID:
        return _("Only a text that was sent can be taken back.")
    if getattr(command, "recall", None) is not None:
        return _("It was wanted back before; that is not repeated.")
    if _until(command) <= clock.now():
        return _("The two minutes in which the platform takes a line back are over.")
    if _is_followed(command):
        return _("It is not the robot's last line in this room any more.")
    return ""


@transaction.atomic
def recall(command_id: UUID, actor: User | ApiKey | str, request: HttpRequest | None = None) -> Command:
    """Have a line taken back; returns the 226. Raises :class:`robots.unknown_sends.Refused`.

    It leaves in spite of a stop: it says nothing. What has not left in time expires.
    """
    command = Command.objects.select_for_update(of=("self",), no_key=True).get(pk=command_id)
    if reason := why_not_recalled(command):
        raise Refused(reason)
    control = Command.objects.create(
        id=uuid7(),
        robot_id=command.robot_id,
        room_id=command.room_id,
        conversation_id=command.conversation_id,
        kind=RECALL,
        # its own, so that it waits for no room
        target=str(command.pk),
        payload={
            "type": RECALL,
            "titleList": [command.target],
            "originalContent": command.text,
            "textType": TEXT_TYPE,
        },
        priority=Priority.ALERT,
        recalls=command,
        requested_by=audit.actor_name(actor),
        expires_at=_until(command),
        created_at=clock.now(),
    )
    audit.record(actor, "send.recall", command, {}, {"recall": str(control.pk)}, request)
    doorbell.ring_after_commit()
    return control


def _until(command: Command) -> datetime:
    said = command.final_at or command.accepted_at or command.created_at
    return said + WITHIN


def _is_followed(command: Command) -> bool:
    later = Command.objects.filter(robot=command.robot_id, target=command.target, seq__gt=command.seq)
    return later.filter(sending_at__isnull=False).exclude(state=CommandState.NOT_ACCEPTED).exists()
