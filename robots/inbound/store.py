"""Storing a batch of callbacks in the caller's transaction.

Taking the same callback twice (it landed in Redis and in PostgreSQL, or its acknowledgement was lost) changes nothing:
every row of it has the id that the door minted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.timezone import localtime

from robots import results, switches
from robots.caches import robots_by_id
from robots.inbound import rows
from robots.inbound.duplicates import Judge, first_marks
from robots.inbound.mentions import mentions
from robots.inbound.parse import (
    ParsedMessage,
    ParsedPresence,
    ParsedQrCode,
    ParsedResult,
    parse_message,
    parse_presence,
    parse_qr_code,
    parse_result,
)
from robots.inbound.rows import Place, PlaceKey, place_key
from robots.models import GroupQrCode, OnlineChange, Reason, Robot
from robots.models.inbound import CallbackKind
from robots.stream import Callback
from worktool_ai.events.services import insert as insert_events
from worktool_ai.events.types import Event
from worktool_ai.lib.db import prepared_cursor

__all__ = ["StoredBatch", "StoredLine", "store_batch", "store_lines"]

#: ``last_callback_at`` is kept to a few seconds: one write per robot and message would be the hottest row of all.
HEARD_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLine:
    """A line that may start a run. ``room_address`` is the platform's name for the room."""

    message_id: UUID
    conversation_id: UUID
    robot_id: UUID
    room_id: UUID
    is_group: bool
    room_type: int
    sender_name: str
    group_name: str
    group_remark: str
    room_address: str
    text: str
    raw_text: str
    text_type: int
    at_me: bool
    platform_id: str
    received_at: datetime
    media_digest: str | None
    is_backfill: bool
    is_merge: bool = False


@dataclass(slots=True)
class StoredBatch:
    """What a batch came to. ``lines`` may start runs; ``settled`` were stored with their reason at once."""

    lines: list[StoredLine] = field(default_factory=list)
    settled: int = 0
    duplicates: int = 0
    known: int = 0
    results: int = 0


def store_batch(callbacks: Sequence[Callback]) -> StoredBatch:
    """Store callbacks of all kinds, in their order. Raises on data that cannot be stored; then nothing is."""
    messages: list[ParsedMessage] = []
    found: list[ParsedResult] = []
    codes: list[ParsedQrCode] = []
    presence: list[ParsedPresence] = []
    for callback in callbacks:
        kind = CallbackKind(callback.kind)
        if kind in (CallbackKind.MESSAGE, CallbackKind.BACKFILL):
            messages.append(parse_message(callback))
        elif kind == CallbackKind.RESULT:
            found.append(parse_result(callback))
        elif kind == CallbackKind.QRCODE:
            codes.append(parse_qr_code(callback))
        else:
            presence.append(parse_presence(callback, kind == CallbackKind.ONLINE))
    batch = store_lines(messages)
    batch.results = results.record(found) if found else 0
    _store_qr_codes(codes)
    _store_presence(presence)
    _note_heard([callback for callback in callbacks if callback.kind != CallbackKind.BACKFILL])
    return batch


def store_lines(messages: Sequence[ParsedMessage]) -> StoredBatch:
    """Store lines with rooms, conversations, media and their events; duplicates with what they repeat."""
    batch = StoredBatch()
    if not messages:
        return batch
    with prepared_cursor() as cursor:
        places = rows.places_of(cursor, messages)
        originals = _originals(cursor, messages, places)
        rows.insert_media(cursor, (line.media for line in messages if line.media))
        written = [_row(line, places[place_key(line)], originals.get(line.id)) for line in messages]
        new = rows.insert_messages(cursor, written)
        reasons = {row["id"]: row["reason"] for row in written}
        kept = [line for line in _once(messages) if line.id in new and line.id not in originals]
        insert_events(cursor, [_event(line, places[place_key(line)]) for line in kept])
    batch.known = len({line.id for line in messages} - new)
    batch.duplicates = len(new & originals.keys())
    batch.lines = [_stored(line, places[place_key(line)]) for line in kept if not reasons[line.id]]
    batch.settled = len(kept) - len(batch.lines)
    return batch


def _originals(cursor: Any, messages: Sequence[ParsedMessage], places: Mapping[PlaceKey, Place]) -> dict[UUID, UUID]:
    """Return, for each line that repeats another, that other one."""
    windows = {line.robot_id: places[place_key(line)].window for line in messages}
    judge = Judge(rows.load_marks(cursor, first_marks(messages)), windows)
    verdicts = [(line.id, judge.original_of(line)) for line in _once(messages)]
    rows.save_marks(cursor, judge.changed())
    return {line_id: original for line_id, original in verdicts if original is not None}


def _once(messages: Iterable[ParsedMessage]) -> list[ParsedMessage]:
    """Leave out the second copy of a callback that is in the batch twice."""
    return list({line.id: line for line in messages}.values())


def _row(line: ParsedMessage, place: Place, original: UUID | None) -> dict[str, Any]:
    return {
        "id": line.id,
        "robot_id": line.robot_id,
        "room_id": place.room_id,
        "conversation_id": place.conversation_id,
        "sender_name": line.sender_name,
        "text": line.text,
        "raw_text": line.raw_text,
        "text_type": line.text_type,
        "at_me": _at_me(line),
        "platform_id": line.platform_id,
        "media_id": line.media_digest,
        "received_at": line.received_at,
        "is_backfill": line.is_backfill,
        "duplicate_of": original,
        "reason": Reason.DUPLICATE if original else _reason(line, place),
        "extra": line.extra,
    }


def _reason(line: ParsedMessage, place: Place) -> str:
    """Return why a line starts no run, or nothing when it may."""
    if line.is_system:
        return Reason.SYSTEM_LINE
    if not place.is_active or switches.was_stopped(line.robot_id, place.room_id, line.received_at):
        return Reason.STOPPED_BY_SWITCH
    if not line.room_address:  # without the room's name no answer could find its way
        return Reason.UNSUPPORTED_TYPE
    return ""


def _at_me(line: ParsedMessage) -> bool:
    """What the platform says; where it says nothing, whether the line begins with one of the robot's names."""
    if line.at_me is not None:
        return line.at_me
    robot = robots_by_id().get(line.robot_id)
    return robot is not None and mentions(line.raw_text, (robot.name, *robot.aliases))


def _stored(line: ParsedMessage, place: Place) -> StoredLine:
    return StoredLine(
        message_id=line.id,
        conversation_id=place.conversation_id,
        robot_id=line.robot_id,
        room_id=place.room_id,
        is_group=line.is_group,
        room_type=line.room_type,
        sender_name=line.sender_name,
        group_name=line.group_name,
        group_remark=line.group_remark,
        room_address=line.room_address,
        text=line.text,
        raw_text=line.raw_text,
        text_type=line.text_type,
        at_me=_at_me(line),
        platform_id=line.platform_id,
        received_at=line.received_at,
        media_digest=line.media_digest,
        is_backfill=line.is_backfill,
    )


def _event(line: ParsedMessage, place: Place) -> Event:
    at = line.received_at.isoformat()
    return {
        "type": "message_received",
        "at": at,
        "robot": place.slug,
        "group": place.group,
        "messageId": str(line.id),
        "data": {
            "sessionId": str(place.conversation_id),
            "messageId": str(line.id),
            "robotId": place.slug,
            "userName": line.sender_name,
            "groupName": line.group_name,
            "content": line.text[:500],
            "timestamp": localtime(line.received_at).isoformat(),
        },
    }


# -- results, QR codes, presence: rare, so through the models ----------------------------------------------------------


def _store_qr_codes(codes: Sequence[ParsedQrCode]) -> None:
    stored = [
        GroupQrCode(
            id=code.id,
            robot_id=code.robot_id,
            group_name=code.group_name,
            qr_code=code.qr_code,
            platform_id=code.platform_id,
            raw=code.raw,
            received_at=code.received_at,
        )
        for code in codes
    ]
    GroupQrCode.objects.bulk_create(stored, ignore_conflicts=True)


def _store_presence(changes: Sequence[ParsedPresence]) -> None:
    stored = [
        OnlineChange(
            id=change.id,
            robot_id=change.robot_id,
            is_online=change.is_online,
            source="callback",
            at=change.received_at,
        )
        for change in changes
    ]
    OnlineChange.objects.bulk_create(stored, ignore_conflicts=True)
    for robot_id in {change.robot_id for change in changes}:
        newest = OnlineChange.objects.filter(robot=robot_id).order_by("-at", "-id").values("is_online")[:1]
        Robot.objects.filter(pk=robot_id).update(is_online=newest)


class _Heard:
    """When this process noted each robot last."""

    def __init__(self) -> None:
        self.noted_at: dict[UUID, datetime] = {}

    def due(self, callbacks: Iterable[Callback]) -> dict[UUID, datetime]:
        newest: dict[UUID, datetime] = {}
        for callback in callbacks:
            newest[callback.robot_id] = max(callback.received_at, newest.get(callback.robot_id, callback.received_at))
        return {robot: at for robot, at in newest.items() if self._is_due(robot, at)}

    def _is_due(self, robot: UUID, at: datetime) -> bool:
        noted = self.noted_at.get(robot)
        return noted is None or (at - noted).total_seconds() >= HEARD_EVERY_S


_heard = _Heard()


def _note_heard(callbacks: Sequence[Callback]) -> None:
    due = _heard.due(callbacks)
    if due:
        with prepared_cursor() as cursor:
            rows.touch_robots(cursor, due)
        _heard.noted_at.update(due)
