"""The grouped writes of inbound lines: one statement for all rows of a kind, through the transaction's own cursor.

For a batch of any size the number of statements is the same (reference/performance.md); everything that is not written
per line uses the models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from robots.inbound.duplicates import Mark
from robots.inbound.media import Picture
from robots.inbound.parse import ParsedMessage
from robots.models import Direction, Owner
from worktool_ai.lib.ids import uuid7
from worktool_ai.lib.json_rows import encode

__all__ = [
    "Place",
    "PlaceKey",
    "UnknownRobotError",
    "insert_media",
    "insert_messages",
    "load_marks",
    "place_key",
    "places_of",
    "save_marks",
    "touch_robots",
]

PlaceKey = tuple[UUID, bool, str, str]
#: Somebody else may be creating the same room: the next statement sees it.
_ATTEMPTS = 5


class UnknownRobotError(ValueError):
    """The robot of a callback was removed between the door and here."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line belongs, and what is needed of its robot."""

    room_id: UUID
    conversation_id: UUID
    slug: str
    group: str
    window: timedelta
    is_active: bool


_PLACES = f"""
WITH wanted AS (
    SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS row (
        robot_id uuid, is_group boolean, address text, sender text, room_type int, name text, remark text,
        new_room uuid, new_conversation uuid)
), known AS (
    SELECT wanted.*, room.id AS room_id, conversation.id AS conversation_id,
           room.id IS NOT NULL AND (
               (wanted.room_type <> 0 AND room.room_type <> wanted.room_type) OR room.name <> wanted.name
               OR room.remark <> wanted.remark) AS is_changed
    FROM wanted
    LEFT JOIN robots_room AS room ON room.robot_id = wanted.robot_id AND room.is_group = wanted.is_group
        AND room.address = wanted.address
    LEFT JOIN robots_conversation AS conversation ON conversation.room_id = room.id
        AND conversation.sender_name = wanted.sender
), made_rooms AS (
    INSERT INTO robots_room (id, robot_id, is_group, room_type, address, name, remark, created_at)
    SELECT DISTINCT ON (robot_id, is_group, address)
           new_room, robot_id, is_group, room_type, address, name, remark, clock_timestamp()
    FROM known
    WHERE room_id IS NULL AND EXISTS (SELECT FROM robots_robot AS robot WHERE robot.id = known.robot_id)
    ORDER BY robot_id, is_group, address
    ON CONFLICT DO NOTHING
    RETURNING id, robot_id, is_group, address
), placed AS (
    SELECT known.*, coalesce(known.room_id, made.id) AS place
    FROM known LEFT JOIN made_rooms AS made ON made.robot_id = known.robot_id AND made.is_group = known.is_group
        AND made.address = known.address
), made_conversations AS (
    INSERT INTO robots_conversation (id, robot_id, room_id, sender_name, owner, owner_epoch, created_at)
    SELECT new_conversation, robot_id, place, sender, '{Owner.ROBOT}', 0, clock_timestamp()
    FROM placed WHERE conversation_id IS NULL AND place IS NOT NULL ORDER BY place, sender
    ON CONFLICT DO NOTHING
    RETURNING id, room_id, sender_name
)
SELECT placed.robot_id, placed.is_group, placed.address, placed.sender, placed.place,
       coalesce(placed.conversation_id, made.id), placed.is_changed, robot.slug, coalesce(team.name, ''),
       robot.duplicate_window_s, robot.is_active
FROM placed
LEFT JOIN made_conversations AS made ON made.room_id = placed.place AND made.sender_name = placed.sender
JOIN robots_robot AS robot ON robot.id = placed.robot_id
LEFT JOIN robots_robotgroup AS team ON team.id = robot.group_id
"""  # noqa: S608 - constants of ours only

_RENAME = """
UPDATE robots_room AS room SET name = row.name, remark = row.remark,
    room_type = CASE WHEN row.room_type <> 0 THEN row.room_type ELSE room.room_type END
FROM jsonb_to_recordset(%(rows)s::jsonb) AS row (
    robot_id uuid, is_group boolean, address text, room_type int, name text, remark text)
WHERE room.robot_id = row.robot_id AND room.is_group = row.is_group AND room.address = row.address
"""

# The update changes nothing: it locks the row and makes RETURNING show what is there.
_LOAD_MARKS = """
INSERT INTO robots_fingerprint AS known (digest, message_id, platform_id, last_at)
SELECT digest, message_id, platform_id, last_at FROM jsonb_to_recordset(%(rows)s::jsonb) AS row (
    digest text, message_id uuid, platform_id text, last_at timestamptz) ORDER BY digest
ON CONFLICT (digest) DO UPDATE SET last_at = known.last_at
RETURNING digest, message_id, platform_id, last_at
"""

_SAVE_MARKS = """
UPDATE robots_fingerprint AS known
SET message_id = row.message_id, platform_id = row.platform_id, last_at = row.last_at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS row (
    digest text, message_id uuid, platform_id text, last_at timestamptz)
WHERE known.digest = row.digest
"""

_MEDIA = """
INSERT INTO robots_media (digest, content_type, size, content, created_at)
SELECT digest, content_type, octet_length(content), content, clock_timestamp()
FROM unnest(%(digests)s::text[], %(types)s::text[], %(contents)s::bytea[]) AS row (digest, content_type, content)
ORDER BY digest
ON CONFLICT (digest) DO NOTHING
"""

# An original that retention has removed meanwhile must not keep its repetition from being stored.
_MESSAGES = f"""
INSERT INTO robots_message (
    id, robot_id, room_id, conversation_id, direction, sender_name, text, raw_text, text_type, at_me, platform_id,
    media_id, received_at, stored_at, is_backfill, duplicate_of_id, intent, topic, reason, settled_at, extra)
SELECT row.id, robot_id, room_id, conversation_id, '{Direction.IN}', sender_name, text, raw_text, text_type, at_me,
       platform_id, media_id, received_at, clock_timestamp(), is_backfill,
       CASE WHEN duplicate_of = ANY(%(own)s::uuid[])
                 OR EXISTS (SELECT FROM robots_message AS known WHERE known.id = row.duplicate_of)
            THEN duplicate_of END,
       '', '', reason, CASE WHEN reason <> '' THEN clock_timestamp() END, extra
FROM jsonb_to_recordset(%(rows)s::jsonb) AS row (
    id uuid, robot_id uuid, room_id uuid, conversation_id uuid, sender_name text, text text, raw_text text,
    text_type int, at_me boolean, platform_id text, media_id text, received_at timestamptz, is_backfill boolean,
    duplicate_of uuid, reason text, extra jsonb)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""  # noqa: S608

_TOUCH = """
UPDATE robots_robot SET last_callback_at = row.at
FROM jsonb_to_recordset(%(rows)s::jsonb) AS row (robot_id uuid, at timestamptz)
WHERE robots_robot.id = row.robot_id AND (last_callback_at IS NULL OR last_callback_at < row.at)
"""


def place_key(line: ParsedMessage) -> PlaceKey:
    """Return what names a line's conversation."""
    return (line.robot_id, line.is_group, line.room_address, line.sender_name)


def places_of(cursor: Any, lines: Sequence[ParsedMessage]) -> dict[PlaceKey, Place]:
    """Get or create rooms and conversations; raises :class:`UnknownRobotError`."""
    wanted = {place_key(line): _wanted(line) for line in lines}
    places: dict[PlaceKey, Place] = {}
    for _attempt in range(_ATTEMPTS):
        missing = [row for key, row in wanted.items() if key not in places]
        if not missing:
            return places
        places.update(_ask_places(cursor, missing, wanted))
    raise UnknownRobotError("a robot is not in the database any more")


def _ask_places(
    cursor: Any, missing: Sequence[Mapping[str, Any]], wanted: Mapping[PlaceKey, Mapping[str, Any]]
) -> dict[PlaceKey, Place]:
    cursor.execute(_PLACES, {"rows": _json(missing)})
    found: dict[PlaceKey, Place] = {}
    renamed: list[Mapping[str, Any]] = []
    for *key, room_id, conversation_id, is_changed, slug, group, window_s, is_active in cursor.fetchall():
        robot_id, is_group, address, sender = key
        if room_id is None or conversation_id is None:
            continue
        place_of = (robot_id, is_group, address, sender)
        found[place_of] = Place(room_id, conversation_id, slug, group, timedelta(seconds=window_s), is_active)
        if is_changed:
            renamed.append(wanted[place_of])
    if renamed:
        cursor.execute(_RENAME, {"rows": _json(renamed)})
    return found


def _wanted(line: ParsedMessage) -> dict[str, Any]:
    return {
        "robot_id": line.robot_id,
        "is_group": line.is_group,
        "address": line.room_address,
        "sender": line.sender_name,
        "room_type": line.room_type,
        "name": line.room_name,
        "remark": line.group_remark if line.is_group else "",
        "new_room": uuid7(),
        "new_conversation": uuid7(),
    }


def load_marks(cursor: Any, marks: Sequence[Mark]) -> dict[str, Mark]:
    """Insert fingerprints that are new, lock those that are known; returns them as they are now."""
    cursor.execute(_LOAD_MARKS, {"rows": _json(_mark_row(mark) for mark in marks)})
    return {row[0]: Mark(*row) for row in cursor.fetchall()}


def save_marks(cursor: Any, marks: Sequence[Mark]) -> None:
    """Write fingerprints back that now stand for another line."""
    if marks:
        cursor.execute(_SAVE_MARKS, {"rows": _json(_mark_row(mark) for mark in marks)})


def _mark_row(mark: Mark) -> dict[str, Any]:
    return {
        "digest": mark.digest,
        "message_id": mark.message_id,
        "platform_id": mark.platform_id,
        "last_at": mark.last_at,
    }


def insert_media(cursor: Any, pictures: Iterable[Picture]) -> None:
    """Store contents that are not stored yet."""
    files = {picture.digest: picture for picture in pictures}
    if files:
        columns = {
            "digests": list(files),
            "types": [file.content_type for file in files.values()],
            "contents": [file.content for file in files.values()],
        }
        cursor.execute(_MEDIA, columns)


def insert_messages(cursor: Any, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Store lines; returns the ids of those that were not stored before."""
    cursor.execute(_MESSAGES, {"rows": _json(rows), "own": [row["id"] for row in rows]})
    return {row[0] for row in cursor.fetchall()}


def touch_robots(cursor: Any, heard_at: Mapping[UUID, datetime]) -> None:
    """Note when robots were heard last."""
    rows = [{"robot_id": robot_id, "at": at} for robot_id, at in sorted(heard_at.items())]
    cursor.execute(_TOUCH, {"rows": _json(rows)})


def _json(rows: Iterable[Mapping[str, Any]]) -> str:
    return encode(list(rows))
