"""The bodies that the platform posts to us, field for field as ``worktool-api.md`` §2.1, §2.3 and §3.3 to
§3.5.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlencode

from robots.simulator.commands import LIST_MEMBERS
from robots.simulator.dialect import Dialect
from robots.simulator.records import Json, Run
from robots.simulator.world import JSON_BODY

ROOM_EXTERNAL: Final = 1
PERSON_EXTERNAL: Final = 2
PERSON_INTERNAL: Final = 4
PRIVATE_ROOM_TYPES: Final = frozenset({PERSON_EXTERNAL, PERSON_INTERNAL})

#: What the bind call of the platform posts to see whether the address answers.
BIND_PROBE: Final[Json] = {}


def at_me_value(dialect: Dialect, at_me: bool) -> str | bool | None:
    """Express a mention the way this dialect does."""
    return {"string": "true" if at_me else "false", "bool": at_me, "null": None}[dialect.atMe]


def configuration_test(dialect: Dialect) -> Json:
    """Return the sample line with which the platform tests a message callback address."""
    return {
        "spoken": "欢迎使用WorkTool，这是一条回调测试消息",
        "rawSpoken": "欢迎使用WorkTool，这是一条回调测试消息",
        "receivedName": "WorkTool",
        "groupName": "WorkTool",
        "groupRemark": "WorkTool",
        "roomType": ROOM_EXTERNAL,
        "atMe": at_me_value(dialect, True),
        "textType": 1,
        "fileBase64": "",
    }


def result(run: Run) -> Json:
    """Return the body of a result callback; the name lists are left out of a plain success."""
    body: Json = {
        "messageId": run.message_id,
        "errorCode": run.error_code,
        "errorReason": run.error_reason,
        "runTime": int(run.at * 1000),
        "timeCost": run.time_cost,
        "type": run.type,
        "rawMsg": raw_message(run),
    }
    # Of 512 nobody has published a result: names in the only list that the documented table has are our guess.
    if run.error_code or run.failed or run.type == LIST_MEMBERS:
        body |= {"successList": run.succeeded, "failList": run.failed}
    if "groupName" in run.command:
        body["groupName"] = run.command["groupName"]
    return body


def raw_message(run: Run) -> str:
    """Return the JSON text of the command that ran, its messageId inside."""
    return json.dumps({**run.command, "messageId": run.message_id}, ensure_ascii=False)


def qr_code(group: str, message_id: str) -> Json:
    return {"groupName": group, "qrCode": f"https://work.weixin.qq.com/gm/{message_id}"}


def presence(robot_name: str, online: bool) -> Json:
    """Return the body of an online or offline callback. It is undocumented; the text hints at a webhook's
    shape.
    """
    return {"msgtype": "text", "text": {"content": f"{robot_name}已{'上线' if online else '下线'}"}}


def encode(body: Json, dialect: Dialect, body_type: int | None = None) -> tuple[bytes, str]:
    """Encode a message callback, as the robot's ``callBackRequestType`` says or else the dialect; returns bytes and
    content type.
    """
    if body_type == JSON_BODY or (body_type is None and dialect.body == "json"):
        return as_json(body)
    fields = {name: _form_value(value) for name, value in body.items() if value is not None}
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def as_json(body: Json) -> tuple[bytes, str]:
    return json.dumps(body, ensure_ascii=False).encode(), "application/json"


def _form_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
