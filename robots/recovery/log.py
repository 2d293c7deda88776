"""Reading the platform's callback log (``qaLog/list``): a span of time, oldest part first, as lines."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

from django.conf import settings

from robots.caches import RobotSnapshot
from robots.client import CHINA, NoLeave, parse_time, platform, take_leave
from robots.inbound.body import BadBody, is_configuration_test, is_probe
from robots.inbound.parse import parse_message
from robots.models.inbound import CallbackKind
from robots.recovery.matching import LogLine
from robots.stream import Callback

__all__ = ["SECOND", "Deferred", "Remark", "lines_of", "read"]

PAGE_SIZE = 100
#: Pages of one part of the log; when they do not hold it, a smaller part is read.
MAX_PAGES = 20
LONGEST_PART = timedelta(minutes=10)
SECOND = timedelta(seconds=1)
#: Of the request limit: the rest stays free for answers.
SHARE = 0.8

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Remark:
    """A group that the platform finds under a remark, and who has been heard in it."""

    name: str
    remark: str
    people: frozenset[str]


class Deferred(Exception):
    """The request limit leaves no room for a query now."""


def read(robot: RobotSnapshot, since: datetime, until: datetime) -> tuple[list[Json], datetime]:
    """Return the oldest part of the log between two whole seconds, newest row first, and the last second it holds.

    Raises the client's and the limiter's errors, and :class:`Deferred`.
    """
    until = min(until, since + LONGEST_PART)
    while True:
        is_one_second = until <= since
        rows, is_whole = _pages(robot, since, until, None if is_one_second else MAX_PAGES)
        if is_whole:
            return rows, until
        until = since + ((until - since) / 2) // SECOND * SECOND


def _pages(robot: RobotSnapshot, since: datetime, until: datetime, most: int | None) -> tuple[list[Json], bool]:
    """Return the rows, and whether ``most`` pages hold all of them; what cannot be halved is read whole."""
    rows: list[Json] = []
    for page in range(1, most + 1) if most else count(1):
        found = _ask(robot, page, since, until)
        rows += found
        if len(found) < PAGE_SIZE:
            return rows, True
    return rows, False


def _ask(robot: RobotSnapshot, page: int, since: datetime, until: datetime) -> list[Json]:
    leave = partial(take_leave, limit=math.ceil(SHARE * settings.WORKTOOL_REQUEST_LIMIT))
    try:
        return platform(leave).qa_log_list(
            robot, page=page, size=PAGE_SIZE, start_time=_china(since), end_time=_china(until)
        )
    except NoLeave as error:
        raise Deferred(str(error)) from None


def _china(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def lines_of(robot_id: UUID, rows: Sequence[Json], remarks: Iterable[Remark]) -> list[LogLine]:
    """Return the rows (newest first) as lines, oldest first; rows without a readable time are left out.

    The same row has the same id whenever it is read; ids rise in the log's order. ``remarks`` name the groups that
    are found under a remark, which the log does not tell.
    """
    known = list(remarks)
    seconds: Counter[datetime] = Counter()
    lines: list[LogLine] = []
    for row in reversed(rows):
        at = parse_time(row.get("startTime"))
        payload = _payload(row, known)
        if at is None or not _is_line(payload):
            continue
        at = at.replace(microsecond=0)
        with suppress(BadBody):
            lines.append(_line(robot_id, at, seconds[at], payload))
        seconds[at] += 1
    return sorted(lines, key=lambda one: one.line.id)


def _is_line(payload: Json) -> bool:
    """Tell whether somebody said this: the log also holds the calls that tried our address out."""
    kind = CallbackKind.MESSAGE
    return not is_probe(kind, payload) and not is_configuration_test(kind, payload)


def _line(robot_id: UUID, at: datetime, position: int, payload: Json) -> LogLine:
    body = json.dumps(payload, ensure_ascii=False, sort_keys=True).encode()
    id_ = _id(robot_id, at, position, body)
    callback = Callback(id_, CallbackKind.BACKFILL, robot_id, 0, at, "application/json", body)
    return LogLine(parse_message(callback), body)


def _id(robot_id: UUID, at: datetime, position: int, body: bytes) -> UUID:
    """Return a UUIDv7 of the row's time and place in its second; its other bits come from what the row says."""
    digest = hashlib.sha256(robot_id.bytes + body).digest()
    milliseconds = round(at.timestamp() * 1000) + min(position, 999)
    value = (milliseconds << 80) | (int.from_bytes(digest[:10]) & ~(0xF << 76) & ~(0x3 << 62))
    return UUID(int=value | (0x7 << 76) | (0x2 << 62))


def _payload(row: Json, remarks: Iterable[Remark]) -> Json:
    """Return what the callback said; the log calls its text a question."""
    sender, group = str(row.get("receivedName") or ""), str(row.get("groupName") or "")
    payload = {
        "spoken": row.get("question"),
        "rawSpoken": row.get("rawSpoken"),
        "receivedName": sender,
        "groupName": group,
        "groupRemark": str(row.get("groupRemark") or "") or _remark(sender, group, remarks),
        "roomType": row.get("roomType"),
        "atMe": row.get("atMe"),
        "textType": row.get("textType"),
        "messageId": row.get("messageId"),
    }
    return {name: value for name, value in payload.items() if value is not None}


def _remark(sender: str, group: str, remarks: Iterable[Remark]) -> str:
    """Return the remark of the group of that name; of several the one in which this person has been heard."""
    named = [one for one in remarks if group and one.name == group]
    heard = [one for one in named if sender in one.people]
    chosen = heard or named
    return chosen[0].remark if len(chosen) == 1 else ""
