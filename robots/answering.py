"""Answers that people write by hand: a text, a picture or file, or both, into one conversation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _

from robots import files
from robots.hotpath import TEXT, NewCommand, insert_commands
from robots.models import Command, Conversation, Mode
from robots.models.commands import Priority
from robots.services import Actor
from robots.tasks import ring_outbox
from templates_lib.file_kinds import StoredFile
from templates_lib.files import Upload, store
from worktool_ai.accounts import audit
from worktool_ai.lib import clock
from worktool_ai.lib.db import prepared_cursor
from worktool_ai.lib.ids import uuid7

__all__ = ["CannotAnswer", "HandAnswer", "answer"]

#: A person's words are not taken back because a phone is slow; they see that the answer waits.
FRESH = timedelta(minutes=30)


class CannotAnswer(Exception):
    """Nothing was queued: ``problem`` says why, ``way_out`` what to do, both in the reader's language."""

    def __init__(self, field: str, problem: str, way_out: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem
        self.way_out = way_out


@dataclass(frozen=True, slots=True, kw_only=True)
class HandAnswer:
    """What a person says. ``send_id`` names the first command: the same one again queues nothing more.

    ``mention``: in a group, the text begins with an @ of the person.
    """

    text: str = ""
    upload: Upload | None = None
    mention: bool = True
    send_id: UUID | None = None


def answer(conversation_id: UUID, said: HandAnswer, actor: Actor, request: HttpRequest | None = None) -> list[Command]:
    """Queue a person's answer, the text before the file; returns its commands. Raises :class:`CannotAnswer`.

    It goes out under the owner of this moment: whoever changes hands afterwards withdraws it, as any other.
    """
    if said.upload and (problem := files.unreachable()):
        raise CannotAnswer("file", problem, _("Send the text alone, or send the file from the phone by hand."))
    with transaction.atomic():
        row = Conversation.objects.select_for_update(of=("self",), no_key=True).get(pk=conversation_id)
        known = _known(row, said.send_id)
        if known:
            return known
        _check(row)
        commands = _commands(row, said)
        with prepared_cursor() as cursor:
            insert_commands(cursor, commands)
        rows = Command.objects.filter(pk__in=[command.id for command in commands])
        rows.update(requested_by=audit.actor_name(actor))
        audit.record(actor, "conversation.answer", row, {}, _audited(said, commands), request)
        transaction.on_commit(ring_outbox)
    return list(rows.order_by("seq"))


def _known(row: Conversation, send_id: UUID | None) -> list[Command]:
    """Return what was queued under this id before; a file's time is a microsecond after its text's."""
    first = Command.objects.filter(pk=send_id).first() if send_id else None
    if first is None:
        return []
    if first.conversation_id != row.pk:
        raise CannotAnswer("sendId", _("This id belongs to another command."), _("Mint a new one for each answer."))
    times = first.created_at, first.created_at + timedelta(microseconds=1)
    return list(Command.objects.filter(conversation=row, created_at__range=times).order_by("seq"))


def _check(row: Conversation) -> None:
    robot = row.robot
    if not robot.is_active or robot.mode != Mode.AUTOMATIC:
        problem = _("The robot %(robot)s sends nothing at present (%(mode)s).") % {
            "robot": robot.name,
            "mode": robot.get_mode_display() if robot.is_active else _("not active"),
        }
        raise CannotAnswer("", problem, _("Answer from the phone, or set the robot to automatic."))


def _commands(row: Conversation, said: HandAnswer) -> list[NewCommand]:
    commands: list[NewCommand] = []
    room = row.room
    ids = iter([said.send_id or uuid7(), uuid7()])
    moment = clock.now()
    common: dict[str, Any] = {
        "robot_id": row.robot_id,
        "room_id": row.room_id,
        "conversation_id": row.pk,
        "target": room.address,
        "priority": Priority.HUMAN,
        "owner_epoch": row.owner_epoch,
        "created_at": moment,
        "expires_at": moment + FRESH,
    }
    if said.text:
        payload = {"type": TEXT, "titleList": [room.address], "receivedContent": said.text}
        if room.is_group and said.mention:
            payload["atList"] = [row.sender_name]
        commands.append(NewCommand(id=next(ids), kind=TEXT, text=said.text, payload=payload, **common))
    if said.upload:
        # a moment later: the order of two commands is that of their times
        later = {**common, "created_at": moment + timedelta(microseconds=len(commands))}
        commands.append(_file_command(next(ids), _stored(said.upload), later))
    return commands


def _stored(upload: Upload) -> StoredFile:
    store(upload)
    return upload.file


def _file_command(send_id: UUID, file: StoredFile, common: dict[str, Any]) -> NewCommand:
    return NewCommand(
        id=send_id,
        kind=files.PUSH_FILE,
        text=file.name,
        text_type=file.kind.line_type,
        payload=files.push_file(file, common["target"]),
        **common,
    )


def _audited(said: HandAnswer, commands: list[NewCommand]) -> dict[str, Any]:
    names = {"file": said.upload.file.name, "digest": said.upload.file.digest} if said.upload else {}
    return {"sendIds": [str(command.id) for command in commands], "text": said.text, **names}
