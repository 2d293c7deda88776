"""Taking back what the robot has said into the queue, once a colleague has taken the conversation over.

::

    queued               -> withdrawn               in the transaction of the take-over
    accepted (203, 218)  -> a control command 305   once per command, queued before anything else of its robot
        305 accepted     -> withdrawn_unconfirmed   the phone was told; whether in time, its result will say
        305 failed       -> accepted                it could not be taken back

Everything here compares and sets, and is derived from rows: what a killed process left undone is done a second later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils.translation import gettext as _

from robots import answered, doorbell, transitions
from robots.answered import Answer
from robots.models import Command, CommandState, Conversation, Owner, Reason
from robots.models.commands import Priority
from robots.transitions import Change, apply
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

__all__ = ["CLEAR_ONE", "FRESH", "GRACE", "WATCHED", "cancel", "cancellable", "follow", "withdraw"]

#: "Clear one queued command" (worktool-api.md §4.2); ``originalContent`` is the platform's messageId.
CLEAR_ONE = 305
#: Texts and files: what a customer would read. Deeds (groups, contacts) are not undone behind anybody's back.
CANCELLABLE = (203, 218)
#: One that was accepted longer ago has run, or lies on a phone that is off.
CANCEL_WITHIN = timedelta(hours=1)
#: So long a 305 may leave; so long it is watched.
FRESH = timedelta(minutes=10)
WATCHED = timedelta(hours=2)
#: A 305 that comes too late usually says so at once: so long its own result is waited for.
GRACE = timedelta(seconds=2)


def withdraw(conversation: Conversation) -> int:
    """Withdraw what the robot had queued here and cancel what the platform has accepted, in the caller's transaction.

    ``conversation`` has its new owner already. Returns how many queued commands were withdrawn.
    """
    queued = Command.objects.filter(
        conversation=conversation, state=CommandState.QUEUED, owner_epoch__lt=conversation.owner_epoch
    )
    why = _("%(who)s has taken the conversation over") % {"who": conversation.owner_set_by}
    withdrawn = transitions.withdraw(queued.values_list("pk", flat=True), why)
    cancel(_to_cancel().filter(conversation=conversation), conversation.owner_set_by)
    return withdrawn


def follow() -> None:
    """Each second, in the caller's transaction: cancel what was accepted meanwhile, and note what cancelling came to.

    A call that was on its way during the take-over is accepted after it.
    """
    cancel(_to_cancel())
    young = Command.objects.filter(cancels__isnull=False, created_at__gt=clock.now() - WATCHED)
    controls = list(young.select_related("cancels", "cancels__robot__group"))
    if controls:
        apply([change for control in controls if (change := _consequence(control))])
        _correct_lines([control.cancels_id for control in controls if control.cancels_id])


def cancellable() -> QuerySet[Command]:
    """Return what the platform has accepted, nobody has cancelled yet, and could be taken out of a phone's queue."""
    # without an empty id in words too: the partial index is used only where its condition is said
    others = Command.objects.filter(robot=OuterRef("robot"), platform_id=OuterRef("platform_id")).exclude(
        platform_id=""
    )
    return (
        Command.objects.filter(
            ~Exists(others.exclude(pk=OuterRef("pk"))),  # the platform would drop those too
            state=CommandState.ACCEPTED,
            kind__in=CANCELLABLE,
            accepted_at__gt=clock.now() - CANCEL_WITHIN,
            cancellation=None,
        )
        .exclude(platform_id="")
        .select_related("conversation")
    )


def _to_cancel() -> QuerySet[Command]:
    return cancellable().filter(conversation__owner=Owner.HUMAN, owner_epoch__lt=F("conversation__owner_epoch"))


def cancel(commands: QuerySet[Command], who: str = "") -> int:
    """Queue the control commands of these for ``who`` (else, whoever has taken the conversation over).

    The unique ``cancels`` keeps a second one from ever being made. Returns how many were to be cancelled.
    """
    made = Command.objects.bulk_create([_control(command, who) for command in commands], ignore_conflicts=True)
    if made:
        doorbell.ring_after_commit()
    return len(made)


def _control(command: Command, who: str) -> Command:
    """No owner epoch: it leaves whoever owns the conversation. Its target is its own, so it waits for no room."""
    moment = clock.now()
    return Command(
        id=uuid7(),
        robot_id=command.robot_id,
        conversation_id=command.conversation_id,
        run_id=command.run_id,
        kind=CLEAR_ONE,
        target=command.platform_id,
        payload={"type": CLEAR_ONE, "originalContent": command.platform_id},
        priority=Priority.ALERT,
        cancels=command,
        requested_by=who or (command.conversation.owner_set_by if command.conversation else ""),
        expires_at=moment + FRESH,
        created_at=moment,
    )


def _consequence(control: Command) -> Change | None:
    """Return what the state of a 305 means for the command that it cancels, if it means anything new."""
    cancelled, state = control.cancels, control.state
    if cancelled is None:
        return None
    accepted_long_enough = state == CommandState.ACCEPTED and (control.accepted_at or clock.now()) < clock.now() - GRACE
    told = state in (CommandState.DONE, CommandState.PARTIAL) or accepted_long_enough
    if told and cancelled.state == CommandState.ACCEPTED:
        return Change(id=cancelled.pk, was=(CommandState.ACCEPTED,), state=CommandState.WITHDRAWN_UNCONFIRMED)
    if state == CommandState.FAILED and cancelled.state == CommandState.WITHDRAWN_UNCONFIRMED:
        return Change(id=cancelled.pk, was=(CommandState.WITHDRAWN_UNCONFIRMED,), state=CommandState.ACCEPTED)
    return None


def _correct_lines(cancelled: Sequence[UUID]) -> None:
    """A line that was called withdrawn says otherwise once its reply turned out to have left."""
    said = (CommandState.ACCEPTED, CommandState.DONE, CommandState.PARTIAL)
    for states, reason in ((said, Reason.ANSWERED), ((CommandState.FAILED,), Reason.SEND_FAILED)):
        commands = Command.objects.filter(pk__in=cancelled, state__in=states)
        answered.resettle([Answer.of(command) for command in commands], (Reason.WITHDRAWN,), reason)
