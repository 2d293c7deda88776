"""What the platform's queries answer (worktool-api.md §6), read leniently: sources disagree on some fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

__all__ = [
    "Binding",
    "OnlineSpan",
    "RanRow",
    "RobotDetail",
    "RobotInfo",
    "SentRow",
    "listed",
    "parse_time",
    "read_binding",
    "read_detail",
    "read_info",
    "read_online_span",
    "read_ran",
    "read_sent",
]

Json = dict[str, Any]

#: Times of the platform carry no zone; China time is what every integrator observed.
CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class RobotInfo:
    """``robotInfo/get``; ``None`` where the platform did not say."""

    name: str
    open_callback: int | None
    reply_all: int | None
    key_check: int | None
    robot_type: int | None
    raw: Json
    request_type: int | None = None
    encrypt_type: int | None = None


@dataclass(frozen=True, slots=True)
class RobotDetail:
    """``robotInfo/get-detail``; ``None`` where the platform did not say. ``robot_type`` 4 is an invalid robot."""

    show_name: str
    corporation: str
    expires_at: datetime | None
    robot_type: int | None


@dataclass(frozen=True, slots=True)
class OnlineSpan:
    """A row of ``onlineInfos``: one time on line; ``until`` is ``None`` while it lasts."""

    since: datetime | None
    until: datetime | None
    minutes: int | None


@dataclass(frozen=True, slots=True)
class Binding:
    """One bound callback; ``kind`` as in worktool-api.md §3.1."""

    kind: int
    url: str


@dataclass(frozen=True, slots=True)
class SentRow:
    """A row of "what was sent": one accepted request with its commands."""

    message_id: str
    at: datetime | None
    commands: tuple[Json, ...]
    raw: Json


@dataclass(frozen=True, slots=True)
class RanRow:
    """A row of "what ran": one executed command and how it ended."""

    message_id: str
    at: datetime | None
    kind: int | None
    command: Json
    error_code: int
    error_reason: str
    success_list: tuple[str, ...]
    fail_list: tuple[str, ...]
    time_cost: float | None
    raw: Json


def listed(data: Any) -> list[Json]:
    """Return the rows of an answer's ``data``: a page with ``list``, or a plain array."""
    rows = data.get("list") if isinstance(data, dict) else data
    return [row for row in rows or () if isinstance(row, dict)] if isinstance(rows, list) else []


def parse_time(value: Any) -> datetime | None:
    """Read ``yyyy-MM-dd HH:mm:ss``, ISO, or epoch milliseconds; ``None`` when it is none of them."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value / 1000, UTC)
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=CHINA)).astimezone(UTC)


def read_info(data: Any) -> RobotInfo:
    raw = data if isinstance(data, dict) else {}
    return RobotInfo(
        name=str(raw.get("name") or ""),
        open_callback=_int(raw.get("openCallback")),
        reply_all=_int(raw.get("replyAll")),
        key_check=_int(raw.get("robotKeyCheck")),
        robot_type=_int(raw.get("robotType")),
        raw=raw,
        request_type=_int(raw.get("callBackRequestType")),
        encrypt_type=_int(raw.get("encryptType")),
    )


def read_detail(data: Any) -> RobotDetail:
    raw = data if isinstance(data, dict) else {}
    return RobotDetail(
        show_name=str(raw.get("showName") or raw.get("name") or ""),
        corporation=str(raw.get("corporation") or ""),
        expires_at=parse_time(raw.get("authExpir")),
        robot_type=_int(raw.get("robotType")),
    )


def read_online_span(row: Json) -> OnlineSpan:
    return OnlineSpan(parse_time(row.get("onlineTime")), parse_time(row.get("offline")), _int(row.get("onlineTimes")))


def read_binding(row: Json) -> Binding:
    return Binding(_int(row.get("type")) or 0, str(row.get("callBackUrl") or ""))


def read_sent(row: Json) -> SentRow:
    commands = tuple(_commands(_json(row.get("body") or row.get("rawMsg"))))
    return SentRow(str(row.get("messageId") or ""), parse_time(row.get("createTime")), commands, row)


def read_ran(row: Json) -> RanRow:
    command = _json(row.get("rawMsg"))
    return RanRow(
        message_id=str(row.get("messageId") or ""),
        at=parse_time(row.get("runTime")),
        kind=_int(row.get("type")),
        command=command if isinstance(command, dict) else {},
        error_code=_int(row.get("rawSuccess")) or 0,
        error_reason=str(row.get("errorReason") or ""),
        success_list=_names(row.get("successList")),
        fail_list=_names(row.get("failList")),
        time_cost=_float(row.get("timeCost")),
        raw=row,
    )


def _commands(body: Any) -> Iterator[Json]:
    """Yield the commands of a request's body: its ``list``, a bare list, or a single command."""
    inner = body.get("list", [body]) if isinstance(body, dict) else body
    if isinstance(inner, list):
        yield from (command for command in inner if isinstance(command, dict))


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def _names(value: Any) -> tuple[str, ...]:
    names = _json(value)
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _int(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
