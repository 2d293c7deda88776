"""The desk for sends whose end nobody knows: what speaks for and against, and what a person makes of it.

::

    unknown, younger than 120 s            the rules of :mod:`robots.reconcile` are at it
    older                                  listed here, with the evidence in words
        confirm_sent  -> done              a person has seen it in the room
        resend        -> not_accepted      a person has seen that it is missing; a new command says it once more
        24 h          -> stays unknown     closed honestly: nobody has decided, the line says ``send_unknown``

Every decision compares and sets, so two people, or a person and a late row of the platform, cannot both decide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from robots import answered, clearing, doorbell, results, switches
from robots.answered import Answer
from robots.error_codes import NEVER_REPEATED
from robots.models import Command, CommandState, Mode, Reason, UnknownSend
from robots.models.commands import Decision, Priority
from robots.outbox_claim import HOLD_UNKNOWN
from robots.resend import hand_over_line
from robots.transitions import Change, apply
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, User
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

__all__ = ["DECIDE_WITHIN", "Refused", "close_undecided", "confirm_sent", "resend", "unknown_sends", "why_not_resent"]

Actor = User | ApiKey | str

#: So long after the call a person may decide; after it, the room has moved on for good.
DECIDE_WITHIN = timedelta(hours=24)
#: What the rules before a person's decision thought of the customer's line.
THOUGHT_ANSWERED = (Reason.ANSWERED, Reason.ASKED_BACK)


class Refused(Exception):
    """It is not done, and nothing has changed; the text says why, in the person's language."""


def unknown_sends() -> QuerySet[UnknownSend]:
    """Return what waits for a person: unknown, let go of by the rules, and not decided. Control commands are not."""
    return UnknownSend.objects.filter(
        state=CommandState.UNKNOWN, decision="", sending_at__lt=clock.now() - HOLD_UNKNOWN
    ).exclude(kind__in=clearing.TAKES_BACK)


@transaction.atomic
def confirm_sent(command_id: UUID, actor: Actor, request: HttpRequest | None = None) -> Command:
    """Note that somebody has seen it in the room. Raises :class:`Refused` when it is decided already.

    It takes the platform's id of the row that was found for it, so that the row is not taken for another call's.
    """
    command = _held(command_id)
    found = _free_match(command)
    results.adopt(apply([_decided(command, CommandState.DONE, Decision.SENT, actor, platform_id=found or None)]))
    _note(command, Decision.SENT, actor, request, {"platform_id": found})
    return Command.objects.get(pk=command.pk)


@transaction.atomic
def resend(command_id: UUID, actor: Actor, request: HttpRequest | None = None) -> Command:
    """Say it once more, as a new command at the end of its room's queue; returns that one.

    Raises :class:`Refused` when it is decided already, or must not be repeated.
    """
    command = _held(command_id)
    if reason := why_not_resent(command):
        raise Refused(reason)
    repeated = _again(command, actor)
    apply([_decided(command, CommandState.NOT_ACCEPTED, Decision.RESENT, actor, resent_as=repeated.pk)])
    hand_over_line(command, repeated)
    _note(command, Decision.RESENT, actor, request, {"resent_as": str(repeated.pk)})
    doorbell.ring_after_commit()
    return repeated


def why_not_resent(command: Command) -> str:
    """Say why it must not be sent again; empty when it may."""
    if command.kind in NEVER_REPEATED:
        return _(
            "A command of type %(kind)d does a second deed when it is repeated. Look at the phone and finish it "
            "by hand."
        ) % {"kind": command.kind}
    if switches.in_force_for(command.robot, command.room).exists():
        return _("Sending is stopped here. Resume it first.")
    if not command.robot.is_active or command.robot.mode != Mode.AUTOMATIC:
        return _("This robot does not send by itself now: it is switched off or only drafts.")
    return ""


def close_undecided() -> int:
    """Close what nobody has decided in time: its state stays unknown, and its line says so. Returns how many."""
    with transaction.atomic():
        overdue = UnknownSend.objects.filter(
            state=CommandState.UNKNOWN, decision="", sending_at__lt=clock.now() - DECIDE_WITHIN
        )
        rows = list(overdue.select_for_update(of=("self",), skip_locked=True)[:500])
        Command.objects.filter(pk__in=[row.pk for row in rows]).update(
            decision=Decision.UNRESOLVED, decided_by="system", decided_at=clock.now()
        )
        answered.resettle([Answer.of(row) for row in rows], THOUGHT_ANSWERED, Reason.SEND_UNKNOWN)
    return len(rows)


def _held(command_id: UUID) -> Command:
    command = (
        Command.objects.select_for_update(of=("self",), no_key=True)
        .select_related("robot", "room", "conversation")
        .get(pk=command_id)
    )
    if command.state != CommandState.UNKNOWN or command.decision:
        state = command.get_decision_display() or command.get_state_display()
        raise Refused(_("This has been settled meanwhile: %(state)s.") % {"state": state})
    return command


def _decided(command: Command, state: str, decision: Decision, actor: Actor, **more: Any) -> Change:
    said = {"at": clock.now().isoformat(), "attempt": command.attempts, "by": audit.actor_name(actor), "says": decision}
    return Change(id=command.pk, was=(CommandState.UNKNOWN,), state=state, evidence=[*command.evidence, said], **more)


def _note(
    command: Command, decision: Decision, actor: Actor, request: HttpRequest | None, details: dict[str, Any]
) -> None:
    Command.objects.filter(pk=command.pk).update(
        decision=decision, decided_by=audit.actor_name(actor), decided_at=clock.now()
    )
    audit.record(actor, f"send.{decision}", command, {"state": command.state}, details, request)


def _free_match(command: Command) -> str:
    """Return the platform's id of the earliest row found for it that no other command of ours owns, if there is one."""
    looks = [look for look in command.evidence if look.get("matches")]
    ids = [match["messageId"] for match in (looks[-1]["matches"] if looks else [])]
    owned = Command.objects.filter(robot=command.robot_id, platform_id__in=ids).values_list("platform_id", flat=True)
    taken = set(owned)
    return next((id_ for id_ in ids if id_ not in taken), "")


def _again(command: Command, actor: Actor) -> Command:
    """A person's word: of the present owner's epoch, fresh anew, and behind what is queued in the room."""
    moment = clock.now()
    return Command.objects.create(
        id=uuid7(),
        robot=command.robot,
        room=command.room,
        conversation=command.conversation,
        run_id=None,
        node_id=command.node_id,
        kind=command.kind,
        target=command.target,
        text=command.text,
        payload=command.payload,
        priority=Priority.HUMAN,
        owner_epoch=command.conversation.owner_epoch if command.conversation else None,
        requested_by=audit.actor_name(actor),
        expires_at=moment + timedelta(seconds=command.robot.reply_fresh_s),
        created_at=moment,
    )
