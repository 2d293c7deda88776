"""What callbacks say, read tolerantly (worktool-api.md §2 and §3). Pure: no database, no clock.

Defaults for what is missing or odd: without ``roomType`` a line with a group's name comes from a group; an unknown
``textType`` is kept as it is; ``atMe`` may be text, boolean or null; fields that we do not know stay in ``extra``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from robots.inbound.body import Payload, decode
from robots.inbound.media import Picture, picture_of, text_file
from robots.models.inbound import CallbackKind
from robots.models.messages import RoomType
from robots.stream import Callback
from worktool_ai.lib.logs import masked
from worktool_ai.lib.text import shorten

__all__ = [
    "ParsedMessage",
    "ParsedPresence",
    "ParsedQrCode",
    "ParsedResult",
    "parse_message",
    "parse_presence",
    "parse_qr_code",
    "parse_result",
    "room_of",
]

NAME_LIMIT = 200
ID_LIMIT = 64
TEXT_LIMIT = 10_000
EXTRA_TEXT_LIMIT = 2_000
SMALL_INT = range(-32_768, 32_768)
INT = range(-(2**31), 2**31)

_GROUPS = frozenset({RoomType.EXTERNAL_GROUP, RoomType.INTERNAL_GROUP})
_TEXT, _IMAGE, _SYSTEM_LINE, _NEW_FRIEND = 1, 2, 10, 22
_NEW_FRIEND_EVENT = 105
_KNOWN = frozenset(
    {
        *("spoken", "rawSpoken", "receivedName", "groupName", "groupRemark", "roomType", "atMe", "textType"),
        *("fileBase64", "messageId", "msgId"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    """A line. ``sender_name`` is a display name, ``room_address`` the name under which the platform finds the room."""

    id: UUID
    robot_id: UUID
    received_at: datetime
    sender_name: str
    group_name: str
    group_remark: str
    is_group: bool
    room_type: int
    text: str
    raw_text: str
    text_type: int
    at_me: bool | None
    platform_id: str
    is_system: bool = False
    media: Picture | None = None
    is_backfill: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def room_address(self) -> str:
        """The remark where one is set, else the name; a private chat is found by the person's."""
        return (self.group_remark or self.group_name) if self.is_group else self.sender_name

    @property
    def room_name(self) -> str:
        return (self.group_name or self.group_remark) if self.is_group else self.sender_name

    @property
    def media_digest(self) -> str | None:
        return self.media.digest if self.media else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedResult:
    """The result of one command, as the platform posts it once. ``time_cost`` in seconds."""

    id: UUID
    robot_id: UUID
    platform_id: str
    inner_id: str
    kind: int | None
    error_code: int
    error_reason: str
    success_list: tuple[str, ...]
    fail_list: tuple[str, ...]
    run_time: datetime | None
    time_cost: float | None
    raw_message: dict[str, Any]
    raw: dict[str, Any]
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedQrCode:
    id: UUID
    robot_id: UUID
    group_name: str
    qr_code: str
    platform_id: str
    raw: dict[str, Any]
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedPresence:
    """The robot went online or offline; the state is in the path, the body is undocumented."""

    id: UUID
    robot_id: UUID
    is_online: bool
    received_at: datetime


def room_of(payload: Mapping[str, Any]) -> str:
    """Return the room's address of a line: what decides its partition."""
    names = _names(payload)
    return (names.remark or names.group) if _is_group(payload, names) else names.sender


def parse_message(callback: Callback) -> ParsedMessage:
    """Read a message callback; raises ``BadBody``."""
    payload = decode(callback.body, callback.content_type)
    names = _names(payload)
    text, raw_text = _texts(payload)
    picture = picture_of(payload.get("fileBase64"))
    if len(text) > TEXT_LIMIT or len(raw_text) > TEXT_LIMIT:
        picture = picture or text_file(max(text, raw_text, key=len))
    return ParsedMessage(
        id=callback.id,
        robot_id=callback.robot_id,
        received_at=callback.received_at,
        sender_name=names.sender,
        group_name=names.group,
        group_remark=names.remark,
        is_group=_is_group(payload, names),
        room_type=_room_type(payload),
        text=shorten_lines(text),
        raw_text=shorten_lines(raw_text),
        text_type=_text_type(payload, text),
        at_me=_known_truth(payload.get("atMe")),
        platform_id=_id(payload, "messageId", "msgId"),
        is_system=_is_system(payload),
        media=picture,
        is_backfill=callback.kind == CallbackKind.BACKFILL,
        extra=_extra(payload, known=_KNOWN),
    )


def parse_result(callback: Callback) -> ParsedResult:
    """Read a command-result callback; raises ``BadBody``. An unreadable error code counts as a failure."""
    payload = decode(callback.body, callback.content_type)
    raw_message = _object(payload.get("rawMsg"))
    return ParsedResult(
        id=callback.id,
        robot_id=callback.robot_id,
        platform_id=_id(payload, "messageId", "msgId"),
        inner_id=_id(raw_message, "messageId"),
        kind=_integer(payload.get("type"), range(32_768)),
        error_code=_error_code(payload),
        error_reason=shorten(_text(payload.get("errorReason")), 500),
        success_list=_strings(payload.get("successList")),
        fail_list=_strings(payload.get("failList")),
        run_time=_time(payload.get("runTime")),
        time_cost=_number(payload.get("timeCost")),
        raw_message=raw_message,
        raw=_extra(payload, known=frozenset(), limit=20_000),
        received_at=callback.received_at,
    )


def parse_qr_code(callback: Callback) -> ParsedQrCode:
    """Read a group's QR code; raises ``BadBody``."""
    payload = decode(callback.body, callback.content_type)
    return ParsedQrCode(
        id=callback.id,
        robot_id=callback.robot_id,
        group_name=_text(payload.get("groupName"))[:NAME_LIMIT],
        qr_code=_text(payload.get("qrCode"))[:2000],
        platform_id=_id(payload, "messageId"),
        raw=_extra(payload, known=frozenset()),
        received_at=callback.received_at,
    )


def parse_presence(callback: Callback, is_online: bool) -> ParsedPresence:
    """Read an online or offline callback: its path says it all."""
    return ParsedPresence(
        id=callback.id, robot_id=callback.robot_id, is_online=is_online, received_at=callback.received_at
    )


def shorten_lines(text: str) -> str:
    """Cut a text that is too long for a context; the whole is kept as media."""
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 1]}…"


# -- who and where -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Names:
    sender: str
    group: str
    remark: str


def _names(payload: Mapping[str, Any]) -> _Names:
    sender = _name(payload, "receivedName") or _name(payload, "friendRemark") or _name(payload, "friendName")
    return _Names(sender, _name(payload, "groupName"), _name(payload, "groupRemark"))


def _name(payload: Mapping[str, Any], key: str) -> str:
    return _text(payload.get(key)).strip()[:NAME_LIMIT]


def _is_group(payload: Mapping[str, Any], names: _Names) -> bool:
    room_type = _room_type(payload)
    return bool(names.group or names.remark) if room_type == RoomType.UNKNOWN else room_type in _GROUPS


def _room_type(payload: Mapping[str, Any]) -> int:
    found = _integer(payload.get("roomType"), SMALL_INT)
    return found if found in RoomType.values and found is not None else int(RoomType.UNKNOWN)


def _is_system(payload: Mapping[str, Any]) -> bool:
    """New-friend events come on the same address, without text and room type (worktool-api.md §2.4)."""
    text_type = _integer(payload.get("textType"), SMALL_INT)
    new_friend = _integer(payload.get("type"), INT) == _NEW_FRIEND_EVENT or text_type == _NEW_FRIEND
    return text_type == _SYSTEM_LINE or (new_friend and not _texts(payload)[0])


# -- what --------------------------------------------------------------------------------------------------------------


def _texts(payload: Mapping[str, Any]) -> tuple[str, str]:
    """Return the text without and with the mention; one stands in for the other where it was not sent."""
    raw = payload.get("rawSpoken")
    spoken = payload.get("spoken", raw)
    text = _text(spoken).strip()
    return text, _text(raw).strip() or text


def _text_type(payload: Mapping[str, Any], text: str) -> int:
    found = _integer(payload.get("textType"), SMALL_INT)
    if found is not None:
        return found
    if payload.get("fileBase64"):
        return _IMAGE
    return _TEXT if text else 0


def _error_code(payload: Mapping[str, Any]) -> int:
    code = _integer(payload.get("errorCode"), INT)
    return -1 if code is None else code


def _extra(payload: Payload, *, known: frozenset[str], limit: int = EXTRA_TEXT_LIMIT) -> dict[str, Any]:
    """What else came, without robot id and key: a platform that repeats its address in the body tells both."""
    return {name: masked(name, _short(value, limit)) for name, value in payload.items() if name not in known}


def _short(value: Any, limit: int) -> Any:
    if isinstance(value, str) and len(value) > limit:
        return f"{value[:limit]}… ({len(value)})"
    if isinstance(value, dict | list) and len(text := _text(masked("", value))) > limit:
        return f"{text[:limit]}… ({len(text)})"
    return value


# -- tolerant readings -------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return ""
    return str(value) if isinstance(value, int | float) else json.dumps(value, ensure_ascii=False)


def _truth(value: Any) -> bool:
    return value is True or str(value).strip().lower() in {"true", "1", "yes"}


def _known_truth(value: Any) -> bool | None:
    """Read a yes or no; None where neither was said."""
    return None if value is None or value == "" or value == "null" else _truth(value)


def _integer(value: Any, allowed: range) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = int(str(value).strip()) if not isinstance(value, float) else int(value)
    except (ValueError, OverflowError):
        return None
    return number if number in allowed else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e9 else None


def _id(payload: Mapping[str, Any], *names: str) -> str:
    for name in names:
        if found := _text(payload.get(name)).strip():
            return found[:ID_LIMIT]
    return ""


def _strings(value: Any) -> tuple[str, ...]:
    """Read a list of names, which may come as JSON text (as in the platform's own query) or as one name."""
    if isinstance(value, str):
        value = _loaded(value) if value.lstrip().startswith("[") else [value]
    items = value if isinstance(value, list) else []
    return tuple(text for item in items if (text := _text(item).strip()))


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = _loaded(value)
    return value if isinstance(value, dict) else {}


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _time(value: Any) -> datetime | None:
    """Read epoch milliseconds."""
    number = _integer(value, range(10**15))
    return datetime.fromtimestamp(number / 1000, UTC) if number else None
