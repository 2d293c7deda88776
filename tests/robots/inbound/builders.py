"""Robots, callbacks and contract bodies for tests of the inbound way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from robots.inbound.body import decode
from robots.inbound.parse import room_of
from robots.models import Robot, RobotGroup
from robots.stream import Callback, partition_of
from worktool_ai.lib.crypto import fingerprint
from worktool_ai.lib.ids import uuid7

CONTRACT = Path(__file__).resolve().parents[2] / "contract"
ROBOT_ID = "wt0123456789abcdef"
KEY = "key-of-the-demo-robot"
AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


def make_robot(robot_id: str = ROBOT_ID, key: str = KEY, slug: str = "demo", **fields: Any) -> Robot:
    """A robot of the group 客服部, as the gateway stores it."""
    return Robot.objects.create(
        slug=slug,
        name="小助手",
        robot_id=robot_id,
        robot_id_digest=fingerprint(robot_id),
        callback_key=key,
        callback_key_digest=fingerprint(key),
        group=RobotGroup.objects.get_or_create(name="客服部")[0],
        **fields,
    )


def line(text: str = "如何退款？", sender: str = "张三", **fields: Any) -> dict[str, Any]:
    """The body of a line in 客服群, as the platform posts it."""
    body = {
        "spoken": text,
        "rawSpoken": text,
        "receivedName": sender,
        "groupName": "客服群",
        "groupRemark": "",
        "roomType": 1,
        "atMe": "false",
        "textType": 1,
    }
    return {**body, **fields}


def callback(
    robot_id: UUID,
    body: Any,
    *,
    kind: str = "message",
    after: float = 0.0,
    id_: UUID | None = None,
    content_type: str = "application/json",
) -> Callback:
    """What the door makes of a body, ``after`` seconds after :data:`AT`."""
    encoded = body if isinstance(body, bytes) else encode(body, content_type)
    room = room_of(decode(encoded, content_type)) if kind == "message" else ""
    return Callback(
        id=id_ or uuid7(),
        kind=kind,
        robot_id=robot_id,
        partition=partition_of(robot_id, room),
        received_at=AT + timedelta(seconds=after),
        content_type=content_type,
        body=encoded,
    )


def encode(body: Any, content_type: str = "application/json") -> bytes:
    if content_type == "application/x-www-form-urlencoded":
        return urlencode(body).encode()
    return json.dumps(body, ensure_ascii=False).encode()


def contract(file: str) -> dict[str, dict[str, Any]]:
    """The fixtures of ``tests/contract/<file>.json`` by name."""
    fixtures = json.loads((CONTRACT / f"{file}.json").read_text("utf-8"))
    return {fixture["name"]: fixture for fixture in fixtures}
