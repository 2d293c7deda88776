"""The platform's queries, with the row shapes and paging of worktool-api.md §6. Times are China time
without a zone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from robots.simulator.payloads import raw_message
from robots.simulator.platform import BAD_FORMAT, Call, Endpoint, PlatformError, Result
from robots.simulator.records import CHINA, Callback, Entry, Json, Line, Run, platform_time
from robots.simulator.world import FORM_BODY, JSON_BODY, Robot, Session, World

DEFAULT_SIZE: Final = 10
MAX_SIZE: Final = 200
Row = TypeVar("Row")
#: What the app of the phone says of itself.
APP_VERSION: Final = "2.8.1"
INVALID: Final = 4


class Queries:
    """Answers everything that only reads."""

    def __init__(self, world: World) -> None:
        self._world = world

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        return {
            ("GET", "/robot/robotInfo/get"): self.info,
            ("GET", "/robot/robotInfo/get-detail"): self.detail,
            ("GET", "/robot/robotInfo/version"): self.version,
            ("GET", "/robot/robotInfo/online"): self.online,
            ("GET", "/robot/robotInfo/onlineInfos"): self.online_infos,
            ("GET", "/wework/listRawMessage"): self.sent,
            ("GET", "/robot/rawMsg/list"): self.ran,
            ("GET", "/robot/qaLog/list"): self.callback_log,
            ("GET", "/robot/wework/group/list"): self.groups,
        }

    async def info(self, call: Call) -> Result:
        robot = call.robot
        created = datetime.fromtimestamp(robot.created, CHINA).replace(tzinfo=None)
        data = {
            "robotId": robot.id,
            "name": robot.name,
            "openCallback": robot.open_callback,
            "encryptType": robot.encrypt_type,
            "createTime": created.isoformat(timespec="seconds"),
            "enableAdd": True,
            "replyAll": robot.reply_all,
            "robotKeyCheck": robot.key_check,
            "callBackRequestType": robot.body_type or (JSON_BODY if self._world.dialect.body == "json" else FORM_BODY),
            "robotType": 0,
        }
        return Result(data)

    async def detail(self, call: Call) -> Result:
        """Answer the licence and whose robot it is."""
        robot = call.robot
        data = {
            "robotId": robot.id,
            "name": robot.name,
            "showName": robot.name,
            "corporation": robot.corporation,
            "firstLogin": platform_time(robot.created),
            "authExpir": platform_time(robot.expires),
            "robotType": 0 if robot.expires > time.time() else INVALID,
        }
        return Result(data)

    async def version(self, call: Call) -> Result:
        return Result(APP_VERSION)

    async def online_infos(self, call: Call) -> Result:
        """Answer the times on line that touch a day (``date``, China time; today unless given)."""
        day = call.query.get("date") or platform_time(time.time())[:10]
        rows = [_session_row(call.robot, session) for session in call.robot.sessions]
        touched = [row for row in rows if row["onlineTime"][:10] <= day <= (row["offline"] or day)[:10]]
        return Result(touched[::-1])

    async def online(self, call: Call) -> Result:
        return Result(not self._world.faults.is_offline(call.robot.id))

    async def sent(self, call: Call) -> Result:
        """Answer "what was sent": the accepted sends of one robot."""
        wanted = call.query.get("messageId")
        entries = [entry for entry in self._world.ledger.sends(call.robot.id) if wanted in (None, "", entry.message_id)]
        return _page(call, [_sent_row(entry) for entry in entries])

    async def ran(self, call: Call) -> Result:
        """Answer "what ran": a plain array, not a page."""
        type_, message_id = call.query.get("type"), call.query.get("messageId")
        span = _Span(call)
        runs = [
            run
            for run in self._world.runs
            if run.robot_id == call.robot.id
            and span.holds(run.at)
            and type_ in (None, "", str(run.type))
            and message_id in (None, "", run.message_id)
        ]
        return Result([_run_row(run) for run in _slice(call, runs)])

    async def callback_log(self, call: Call) -> Result:
        """The message callbacks that the platform made, answered or not."""
        name = call.query.get("name") or ""
        span = _Span(call)
        rows = [
            row
            for row in self._world.callbacks
            if row.robot_id == call.robot.id and span.holds(row.at) and name in _names(row)
        ]
        return _page(call, [_callback_row(row) for row in rows])

    async def groups(self, call: Call) -> Result:
        wanted = call.query.get("groupName") or ""
        rooms = [room for room in call.robot.rooms if wanted in room]
        return _page(call, [self._group_row(call.robot, room) for room in rooms])

    def _group_row(self, robot: Robot, room: str) -> Json:
        lines = self._world.transcript.since(room, 0)
        newest = lines[-1].at if lines else time.time()
        return {
            "workType": 1,
            "groupName": room,
            "masterName": robot.name,
            "robotId": robot.id,
            "msgInsertTime": platform_time(newest),
            "msgNum": len(lines),
            "membersNum": _members(lines) + 1,
            "groupAnnouncement": "",
            "parentId": 0,
            "level": 0,
            "createTime": platform_time(robot.rooms[room]),
            "updateTime": platform_time(newest),
        }


def _session_row(robot: Robot, session: Session) -> Json:
    until = session.until or time.time()
    return {
        "robotId": robot.id,
        "onlineTime": platform_time(session.since),
        "offline": platform_time(session.until) if session.until else None,
        "onlineTimes": int(until - session.since) // 60,
        "ip": "127.0.0.1",
    }


def _members(lines: Iterable[Line]) -> int:
    return len({line.sender for line in lines if line.author == "person"})


def _names(row: Callback) -> str:
    return f"{row.body['receivedName']}\n{row.body['groupName']}"


def _sent_row(entry: Entry) -> Json:
    return {
        "robotId": entry.robot_id,
        "createTime": platform_time(entry.at),
        "typeList": ",".join(str(command["type"]) for command in entry.commands),
        "ip": entry.ip,
        "messageId": entry.message_id,
        "apiSend": 1,
        "body": entry.body,
    }


def _run_row(run: Run) -> Json:
    return {
        "apiSend": 1,
        "errorReason": run.error_reason,
        "failList": json.dumps(run.failed, ensure_ascii=False),
        "successList": json.dumps(run.succeeded, ensure_ascii=False),
        "messageId": run.message_id,
        "rawMsg": raw_message(run),
        "rawSuccess": run.error_code,
        "robotId": run.robot_id,
        "runTime": platform_time(run.at),
        "timeCost": run.time_cost,
        "type": run.type,
    }


def _callback_row(row: Callback) -> Json:
    body = row.body
    return {
        "answer": row.answer,
        "atMe": body["atMe"] in (True, "true"),
        "groupName": body["groupName"],
        "openThirdParty": 1,
        "question": body["spoken"],
        "rawSpoken": body["rawSpoken"],
        "receivedName": body["receivedName"],
        "robotId": row.robot_id,
        "roomType": body["roomType"],
        "startTime": platform_time(row.at),
        "textType": body["textType"],
        "timeCost": row.time_cost,
        "messageId": body.get("messageId"),
        "url": row.url,
    }


class _Span:
    """The ``startTime`` and ``endTime`` of a query; both ends belong to it, to the second."""

    def __init__(self, call: Call) -> None:
        self._start = _instant(call, "startTime")
        self._end = _instant(call, "endTime")

    def holds(self, at: float) -> bool:
        return (self._start is None or int(at) >= self._start) and (self._end is None or int(at) <= self._end)


def _instant(call: Call, name: str) -> float | None:
    text = call.query.get(name)
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).timestamp()
    except ValueError:
        raise PlatformError(BAD_FORMAT, f"{name} 格式应为 yyyy-MM-dd HH:mm:ss") from None


def _positive(call: Call, name: str, default: int) -> int:
    text = call.query.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise PlatformError(BAD_FORMAT, f"{name} 必须为正整数")
    return int(text)


def _page_and_size(call: Call) -> tuple[int, int]:
    return _positive(call, "page", 1), min(_positive(call, "size", DEFAULT_SIZE), MAX_SIZE)


def _slice(call: Call, rows: Sequence[Row]) -> Sequence[Row]:
    """Cut one page out of rows that are in order of time; newest first unless ``sort`` says ``…,asc``."""
    page, size = _page_and_size(call)
    ordered = rows if call.query.get("sort", "").lower().endswith(",asc") else rows[::-1]
    return ordered[(page - 1) * size : page * size]


def _page(call: Call, rows: list[Any]) -> Result:
    page, size = _page_and_size(call)
    listed = list(_slice(call, rows))
    total = len(rows)
    pages = -(-total // size)
    return Result({"pageNum": page, "pageSize": size, "totalPage": pages, "total": total, "list": listed})
