"""Rows for tests, built as the gateway and the engine write them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flows.models import Flow, FlowVersion, Run, RunState
from robots.models import Command, Conversation, Direction, Message, Robot, RobotGroup, Room
from worktool_ai.accounts.models import Role, ScopeKind, User
from worktool_ai.lib import clock
from worktool_ai.lib.crypto import fingerprint
from worktool_ai.lib.ids import uuid7


def person(role: str = Role.OPERATOR, robots: list[str] | None = None, **fields: Any) -> User:
    """A person who may sign in; with ``robots`` the scope is these slugs."""
    scope = {} if robots is None else {"scope_kind": ScopeKind.ROBOTS, "scope_values": robots}
    username = fields.pop("username", f"{role}-{uuid7().hex[-8:]}")
    return User.objects.create_user(username=username, role=role, is_staff=True, **scope, **fields)


def robot(slug: str = "demo", group: str = "", **fields: Any) -> Robot:
    owner = RobotGroup.objects.get_or_create(name=group)[0] if group else None
    secrets = {"robot_id": f"wt-{slug}", "callback_key": f"key-{slug}"}
    digests = {f"{name}_digest": fingerprint(value) for name, value in secrets.items()}
    return Robot.objects.create(
        slug=slug, name=fields.pop("name", "客服机器人"), group=owner, **secrets, **digests, **fields
    )


def room(of: Robot, name: str = "客服群", is_group: bool = True) -> Room:
    return Room.objects.get_or_create(robot=of, is_group=is_group, address=name, defaults={"name": name})[0]


def line(
    of: Robot, text: str = "如何退款？", sender: str = "张三", where: Room | None = None, **fields: Any
) -> Message:
    """A customer's line; settled when a ``reason`` is given."""
    where = where or room(of)
    conversation = Conversation.objects.get_or_create(robot=of, room=where, sender_name=sender)[0]
    received_at: datetime = fields.pop("received_at", clock.now())
    if fields.get("reason"):
        fields.setdefault("settled_at", received_at)
    return Message.objects.create(
        robot=of,
        room=where,
        conversation=conversation,
        direction=fields.pop("direction", Direction.IN),
        sender_name=sender,
        text=text,
        received_at=received_at,
        **fields,
    )


def answer(to: Message, text: str = "您好，请问订单号是多少？", state: str = "done", **fields: Any) -> Message:
    """The robot's line with its command."""
    said = line(
        to.robot,
        text,
        to.conversation.sender_name,
        to.room,
        direction=Direction.OUT,
        run_id=to.run_id,
        received_at=fields.pop("received_at", clock.now()),
    )
    Command.objects.create(
        robot=to.robot,
        room=to.room,
        conversation=to.conversation,
        message=said,
        run_id=to.run_id,
        target=to.room.address,
        text=text,
        payload={"type": 203},
        state=state,
        created_at=said.received_at,
        sending_at=said.received_at,
        **fields,
    )
    return said


def run(of: Message, **fields: Any) -> Run:
    flow = Flow.objects.get_or_create(slug="main", defaults={"name": "main"})[0]
    version = FlowVersion.objects.get_or_create(flow=flow, number=1, defaults={"graph": {}})[0]
    fields.setdefault("state", RunState.DONE)
    return Run.objects.create(
        conversation=of.conversation, message=of, version=version, created_at=of.received_at, **fields
    )
