"""What people (and set-up) change about robots and conversations: one function per change, atomic and audited."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from robots import caches, withdrawal
from robots.client.errors import NoCredentials
from robots.inbound.body import BadBody, decode
from robots.inbound.parse import room_of
from robots.models import (
    Conversation,
    DeadLetter,
    InboxEntry,
    Message,
    Mode,
    OnlineChange,
    Owner,
    Reason,
    Robot,
    RobotGroup,
)
from robots.models.inbound import CallbackKind
from robots.stream import partition_of
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, User
from worktool_ai.lib import clock
from worktool_ai.lib.crypto import UndecryptableError, fingerprint, mask

__all__ = [
    "add_alias",
    "callback_url",
    "change_platform_id",
    "create_robot",
    "give_back",
    "new_callback_key",
    "note_online",
    "redrive",
    "rotate_callback_key",
    "set_callback_key",
    "set_mode",
    "set_platform_id",
    "set_robot_key",
    "shown_callback_url",
    "take_over",
]

#: Who makes a change: a person, an API key, or the name of a process.
Actor = User | ApiKey | str

#: A rotated key stays valid so long, because the platform keeps posting to the old address until it is bound anew.
OLD_KEY_VALID = timedelta(hours=24)


def create_robot(
    *,
    slug: str,
    name: str,
    robot_id: str,
    actor: Actor,
    robot_key: str = "",
    callback_key: str = "",
    mode: str = Mode.SHADOW,
    group: RobotGroup | None = None,
    request: HttpRequest | None = None,
    **fields: Any,
) -> Robot:
    """Add a robot, drafting only unless told otherwise. ``robot_id`` is the platform's; the callback key is minted if
    none is given.
    """
    robot = Robot(slug=slug, name=name, robot_key=robot_key, mode=mode, group=group, **fields)
    set_platform_id(robot, robot_id)
    set_callback_key(robot, callback_key)
    with transaction.atomic():
        robot.save(force_insert=True)
        audit.record(actor, "robot.add", robot, {}, {"slug": slug, "name": name, "mode": mode}, request)
    caches.forget()
    return robot


def set_platform_id(robot: Robot, robot_id: str) -> None:
    """Set the platform's id and the digest by which the door finds the robot; the caller saves."""
    robot.robot_id = robot_id
    robot.robot_id_digest = fingerprint(robot_id)


def new_callback_key() -> str:
    return secrets.token_urlsafe(24)


def rotate_callback_key(robot: Robot, actor: Actor, request: HttpRequest | None = None) -> Robot:
    """Give a robot a new callback key; the old one works 24 h more. Bind the new address with ``connect_robot``."""
    with transaction.atomic():
        row = Robot.objects.select_for_update(of=("self",)).get(pk=robot.pk)
        row.previous_key_digest = row.callback_key_digest
        row.previous_key_until = clock.now() + OLD_KEY_VALID
        set_callback_key(row)
        row.save()
        after = {"callback": mask(row.callback_key), "old_valid_until": row.previous_key_until}
        audit.record(actor, "robot.rotate_key", row, {}, after, request)
    caches.forget()
    return row


def set_callback_key(robot: Robot, key: str = "") -> None:
    """Set the key of the robot's callback address, a new one unless given; the caller saves."""
    key = key or new_callback_key()
    robot.callback_key = key
    robot.callback_key_digest = fingerprint(key)


def set_mode(robot: Robot, mode: str, actor: Actor, request: HttpRequest | None = None) -> Robot:
    """Set how far a robot acts on its own. Drafts that were written before stay drafts."""
    with transaction.atomic():
        row = Robot.objects.select_for_update(of=("self",)).get(pk=robot.pk)
        before, row.mode = row.mode, Mode(mode)
        if before != row.mode:
            row.save(update_fields=["mode", "updated_at"])
            audit.record(actor, "robot.set_mode", row, {"mode": before}, {"mode": row.mode}, request)
    caches.forget()
    return row


def set_robot_key(robot: Robot, key: str, actor: Actor, request: HttpRequest | None = None) -> Robot:
    """Set the key that the platform asks for where the robot's key check is on; empty removes it."""
    with transaction.atomic():
        row = Robot.objects.select_for_update(of=("self",)).get(pk=robot.pk)
        before, row.robot_key = mask(row.robot_key), key
        row.save(update_fields=["robot_key", "updated_at"])
        audit.record(actor, "robot.set_key", row, {"robot_key": before}, {"robot_key": mask(key)}, request)
    caches.forget()
    return row


def change_platform_id(robot: Robot, robot_id: str, actor: Actor, request: HttpRequest | None = None) -> Robot:
    """Correct the platform's id of a robot. Raises ``ValidationError`` when another robot here has it."""
    if Robot.objects.exclude(pk=robot.pk).filter(robot_id_digest=fingerprint(robot_id)).exists():
        raise ValidationError(_("Another robot here has this id."), code="unique")
    with transaction.atomic():
        row = Robot.objects.select_for_update(of=("self",)).get(pk=robot.pk)
        before = mask(row.robot_id)
        set_platform_id(row, robot_id)
        row.save(update_fields=["robot_id", "robot_id_digest", "updated_at"])
        audit.record(actor, "robot.set_id", row, {"platform": before}, {"platform": mask(robot_id)}, request)
    caches.forget()
    return row


def add_alias(robot: Robot, alias: str, actor: Actor, request: HttpRequest | None = None) -> Robot:
    """Add a name under which the robot's own lines appear and customers call it; a known one changes nothing."""
    with transaction.atomic():
        row = Robot.objects.select_for_update(of=("self",)).get(pk=robot.pk)
        if alias and alias not in (row.name, *row.aliases):
            before = list(row.aliases)
            row.aliases = [*before, alias]
            row.save(update_fields=["aliases", "updated_at"])
            audit.record(actor, "robot.add_alias", row, {"aliases": before}, {"aliases": row.aliases}, request)
    caches.forget()
    return row


def note_online(robot: Robot, is_online: bool, source: str) -> None:
    """Note what a query says of the phone; only a change is stored, as a callback's word would be."""
    with transaction.atomic():
        row = Robot.objects.select_for_update(of=("self",), no_key=True).get(pk=robot.pk)
        if row.is_online != is_online:
            OnlineChange.objects.create(robot=row, is_online=is_online, source=source, at=clock.now())
            Robot.objects.filter(pk=row.pk).update(is_online=is_online)


def callback_url(robot: Robot, event: str) -> str:
    """Return the address to which the platform posts an event (``message``, ``result``, …). It holds the key: a
    credential. Raises :class:`NoCredentials` when that cannot be decrypted.
    """
    try:
        return _callback_url(robot.callback_key.reveal(), event)
    except UndecryptableError:
        raise NoCredentials(gettext_noop("The callback key cannot be decrypted: make a new one.")) from None


def shown_callback_url(robot: Robot, event: str) -> str:
    """Return the address with its key masked, also where that cannot be decrypted."""
    return _callback_url(mask(robot.callback_key), event)


def _callback_url(key: str, event: str) -> str:
    return f"{settings.PUBLIC_URL}/api/worktool/callback/{key}/{event}"


def take_over(conversation_id: UUID, actor: Actor, request: HttpRequest | None = None) -> Conversation:
    """Let a person answer from now on; nothing changes where one does already.

    What the robot still had queued is withdrawn with its lines; what the platform has accepted is cancelled there,
    best effort (:mod:`robots.withdrawal`).
    """
    return _change_owner(conversation_id, Owner.HUMAN, "conversation.take_over", actor, request)


def give_back(conversation_id: UUID, actor: Actor, request: HttpRequest | None = None) -> Conversation:
    """Let the robot answer again, from the next line on: what came before is not answered any more."""
    return _change_owner(conversation_id, Owner.ROBOT, "conversation.give_back", actor, request)


@transaction.atomic
def _change_owner(
    conversation_id: UUID, owner: Owner, action: str, actor: Actor, request: HttpRequest | None
) -> Conversation:
    """Every change raises the epoch: a command that is queued under an older one later on, the outbox withdraws.

    The lock leaves the key alone: rows that refer to the conversation are written meanwhile.
    """
    row = Conversation.objects.select_for_update(of=("self",), no_key=True).get(pk=conversation_id)
    before = {"owner": row.owner, "owner_epoch": row.owner_epoch}
    if row.owner != owner:
        row.owner, row.owner_epoch = owner, row.owner_epoch + 1
        row.owner_since, row.owner_set_by = clock.now(), audit.actor_name(actor)
        row.save(update_fields=["owner", "owner_epoch", "owner_since", "owner_set_by"])
        withdrawn = withdrawal.withdraw(row) if owner == Owner.HUMAN else 0
        after = {"owner": owner, "owner_epoch": row.owner_epoch, "withdrawn": withdrawn}
        audit.record(actor, action, row, before, after, request)
    return row


@transaction.atomic
def redrive(letter_id: UUID, actor: Actor, request: HttpRequest | None = None) -> bool:
    """Have a dead letter handled once more, as if the door had just taken it; false when its robot is gone.

    It keeps its id and its time: what was stored of it is stored anew, and a stale line is still not answered.
    """
    letter = DeadLetter.objects.select_for_update(of=("self",)).get(pk=letter_id)
    if letter.robot_id is None:
        return False
    Message.objects.filter(pk=letter.pk, reason=Reason.DEAD_LETTER, run_id=None).delete()
    entry = {
        "partition": partition_of(letter.robot_id, _room_of(letter)),
        "robot_id": letter.robot_id,
        "kind": letter.kind,
        "content_type": letter.content_type,
        "body": letter.body,
        "received_at": letter.received_at,
    }
    InboxEntry.objects.get_or_create(pk=letter.pk, defaults=entry)
    letter.attempts, letter.redriven_at = letter.attempts + 1, clock.now()
    letter.save(update_fields=["attempts", "redriven_at"])
    audit.record(actor, "deadletter.redrive", letter, {}, {"attempts": letter.attempts}, request)
    return True


def _room_of(letter: DeadLetter) -> str:
    if letter.kind not in (CallbackKind.MESSAGE, CallbackKind.BACKFILL):
        return ""
    try:
        return room_of(decode(bytes(letter.body), letter.content_type))
    except BadBody:
        return ""
