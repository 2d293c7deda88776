"""Closing a command that the platform never accepted, and saying it once more where that is still right."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from robots.error_codes import NEVER_REPEATED
from robots.models import Command, CommandState
from robots.transitions import Change, apply
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

__all__ = ["close_not_accepted", "hand_over_line"]


def close_not_accepted(command_id: UUID, evidence: list[dict[str, Any]]) -> Command | None:
    """Close an unknown command as not accepted, in the caller's transaction; returns the one that repeats it, if any.

    The repetition takes its place in the room's order and its outbound line; the freshness stays that of the original.
    """
    command = Command.objects.select_for_update(of=("self",)).filter(pk=command_id, state=CommandState.UNKNOWN).first()
    if command is None:
        return None
    repeated = _repeat(command) if _may_be_repeated(command) else None
    apply(
        [
            Change(
                id=command.pk,
                was=(CommandState.UNKNOWN,),
                state=CommandState.NOT_ACCEPTED,
                evidence=evidence,
                resent_as=repeated.pk if repeated else None,
            )
        ]
    )
    if repeated:
        hand_over_line(command, repeated)
    return repeated


def _may_be_repeated(command: Command) -> bool:
    is_fresh = command.expires_at is None or command.expires_at > clock.now()
    if not is_fresh or command.kind in NEVER_REPEATED or Command.objects.filter(resent_as=command).exists():
        return False
    return not _room_has_moved_on(command)


def _room_has_moved_on(command: Command) -> bool:
    later = Command.objects.filter(robot=command.robot_id, target=command.target, seq__gt=command.seq)
    return later.filter(sending_at__isnull=False).exclude(state=CommandState.NOT_ACCEPTED).exists()


def _repeat(command: Command) -> Command:
    return Command.objects.create(
        id=uuid7(),
        seq=command.seq,
        robot_id=command.robot_id,
        room_id=command.room_id,
        conversation_id=command.conversation_id,
        run_id=command.run_id,
        node_id=command.node_id,
        kind=command.kind,
        target=command.target,
        text=command.text,
        payload=command.payload,
        priority=command.priority,
        owner_epoch=command.owner_epoch,
        expires_at=command.expires_at,
        created_at=clock.now(),
    )


def hand_over_line(command: Command, repeated: Command) -> None:
    """The outbound line shows the state of the command in force."""
    line = command.message_id
    Command.objects.filter(pk=command.pk).update(message=None)
    Command.objects.filter(pk=repeated.pk).update(message=line)
