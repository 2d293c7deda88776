"""The platform's endpoints that change something: sending commands and configuring callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from robots.simulator.callbacks import Callbacks
from robots.simulator.commands import PUSH_FILE, SEND_TEXT
from robots.simulator.phone import Phones
from robots.simulator.records import Entry, Json
from robots.simulator.world import NEW_MESSAGE, TYPE_NAMES, Robot, World
from worktool_ai.lib.loopback import is_loopback_url

BAD_FORMAT: Final = 101011
ILLEGAL: Final = 101012
BAD_ROBOT: Final = 501011
BAD_KEY: Final = 501012
MAX_COMMANDS: Final = 100
SOCKET_TYPE: Final = 2
#: In the dialect "resultFirst" the answer waits at most so long for the result callbacks.
RESULT_FIRST_S: Final = 5.0

COMMAND_DEFAULTS: Final[Json] = {"type": 0, "titleList": [], "receivedContent": "", "atList": []}


class PlatformError(Exception):
    """The platform refuses; sent as HTTP 200 with this code, as the real one does."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Call:
    """One request to the platform: whose robot, what parameters, and the ledger entry that it fills."""

    robot: Robot
    query: dict[str, str]
    body: Json
    entry: Entry


@dataclass(slots=True)
class Result:
    """What a reply carries besides its success code."""

    data: Any = None
    message: str = "success"


Endpoint = Callable[[Call], Awaitable[Result]]


class Platform:
    """Answers sendRawMessage and the configuration calls."""

    def __init__(self, world: World, callbacks: Callbacks, phones: Phones) -> None:
        self._world = world
        self._callbacks = callbacks
        self._phones = phones

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        return {
            ("POST", "/wework/sendRawMessage"): self.send_raw_message,
            ("POST", "/robot/robotInfo/update"): self.update,
            ("POST", "/robot/robotInfo/callBack/bind"): self.bind,
            ("GET", "/robot/robotInfo/callBack/get"): self.bindings,
            ("POST", "/robot/robotInfo/callBack/deleteByType"): self.delete_by_type,
        }

    async def send_raw_message(self, call: Call) -> Result:
        """Queue commands for the phone; ``data`` is the messageId of their results."""
        commands = checked_commands(call.body)
        call.entry.message_id = self._world.ids.mint()
        jobs = self._phones.of(call.robot).accept(call.entry, commands)
        if self._world.dialect.resultFirst and jobs:
            results = [asyncio.ensure_future(job.done.wait()) for job in jobs]
            _, late = await asyncio.wait(results, timeout=RESULT_FIRST_S)
            for result in late:
                result.cancel()
        return Result(call.entry.message_id, "指令已加入发送队列")

    async def update(self, call: Call) -> Result:
        """Set the message callback and reply policy; a new address is tested with a sample line first."""
        robot, body = call.robot, call.body
        switches = {name: _optional_int(body, name) for name in ("openCallback", "replyAll", "encryptType")}
        if "callbackUrl" in body:
            robot.urls.pop(NEW_MESSAGE, None)
            if url := _text(body, "callbackUrl"):
                await self._test(url, partial(self._callbacks.answers_message, robot))
                robot.urls[NEW_MESSAGE] = url
        for name, attribute in (
            ("openCallback", "open_callback"),
            ("replyAll", "reply_all"),
            ("encryptType", "encrypt_type"),
        ):
            if (value := switches[name]) is not None:
                setattr(robot, attribute, value)
        return Result()

    async def bind(self, call: Call) -> Result:
        """Bind the callback of one type, after calling its address."""
        type_, url = _required_int(call.body, "type"), _text(call.body, "callBackUrl")
        if type_ not in TYPE_NAMES or type_ == NEW_MESSAGE:
            raise PlatformError(ILLEGAL, "回调类型不支持")
        await self._test(url, self._callbacks.answers)
        call.robot.urls[type_] = url
        return Result()

    async def _test(self, url: str, answers: Callable[[str], Awaitable[bool]]) -> None:
        if not is_loopback_url(url):
            raise PlatformError(ILLEGAL, "模拟器只回调本机地址")
        if not await answers(url):
            raise PlatformError(ILLEGAL, "回调地址校验失败：需返回 HTTP 200 与 application/json")

    async def bindings(self, call: Call) -> Result:
        rows = [
            {"id": type_ + 1, "type": type_, "callBackUrl": url, "typeName": TYPE_NAMES[type_]}
            for type_, url in sorted(call.robot.urls.items())
        ]
        return Result(rows)

    async def delete_by_type(self, call: Call) -> Result:
        call.robot.urls.pop(_required_int(call.body, "type"), None)
        return Result()


def check_caller(robot: Robot, query: Mapping[str, str]) -> None:
    """Refuse who names a robot that is not there, or does not know its key.

    The codes are those of the phone app (worktool-api.md §5); what the platform itself answers is not documented.
    """
    if not robot.is_known:
        raise PlatformError(BAD_ROBOT, "机器人id不存在")
    if robot.key_check and (query.get("key") or query.get("robotKey")) != robot.key:
        raise PlatformError(BAD_KEY, "机器人key校验失败")


def listed_commands(body: Json) -> list[Json]:
    """Return the commands of a send as the ledger shows them, whatever else is wrong with the body."""
    listed = body.get("list")
    if not isinstance(listed, list):
        return []
    return [COMMAND_DEFAULTS | command for command in listed if isinstance(command, dict)]


def checked_commands(body: Json) -> list[Json]:
    """Return the commands of a send; raises :class:`PlatformError` where the format is wrong."""
    commands = body.get("list")
    if body.get("socketType") != SOCKET_TYPE:
        raise PlatformError(BAD_FORMAT, "socketType 必须为 2")
    if not isinstance(commands, list) or not 0 < len(commands) <= MAX_COMMANDS:
        raise PlatformError(BAD_FORMAT, f"list 必须有 1 至 {MAX_COMMANDS} 条指令")
    for command in commands:
        _check_command(command)
    return commands


def _check_command(command: Any) -> None:
    if not isinstance(command, dict) or not _is_int(command.get("type")):
        raise PlatformError(BAD_FORMAT, "指令缺少 type")
    if command["type"] in (SEND_TEXT, PUSH_FILE) and not _is_names(command.get("titleList")):
        raise PlatformError(BAD_FORMAT, "titleList 不能为空")
    if command["type"] == SEND_TEXT and not isinstance(command.get("receivedContent"), str):
        raise PlatformError(BAD_FORMAT, "receivedContent 不能为空")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) and name for name in value)


def _required_int(body: Json, name: str) -> int:
    value = _optional_int(body, name)
    if value is None:
        raise PlatformError(BAD_FORMAT, f"{name} 不能为空")
    return value


def _optional_int(body: Json, name: str) -> int | None:
    """Read a number that sources spell as number or text (``replyAll``)."""
    value = body.get(name)
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise PlatformError(BAD_FORMAT, f"{name} 格式错误") from None


def _text(body: Json, name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise PlatformError(BAD_FORMAT, f"{name} 格式错误")
    return value
