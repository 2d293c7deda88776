"""What a phone does for each command type; types that are not listed are acknowledged as executed.

The table of codes is worktool-api.md §4.2, of errors §5.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from robots.simulator.fault_kinds import Plan
from robots.simulator.records import Json, Line
from robots.simulator.world import Robot, World

SEND_TEXT: Final = 203
CREATE_GROUP: Final = 206
EDIT_GROUP: Final = 207
PUSH_FILE: Final = 218
RECALL: Final = 226
CLEAR_QUEUE: Final = 304
CLEAR_ONE: Final = 305
LIST_MEMBERS: Final = 512

#: WeCom lets an external chat's message be recalled for about so long.
RECALL_WINDOW_S: Final = 120.0

CHAT_NOT_FOUND: Final = 201101
SEND_FAILED: Final = 201102
BUTTON_NOT_FOUND: Final = 201103
TARGET_NOT_FOUND: Final = 201104
DOWNLOAD_FAILED: Final = 201107
ERROR_REASONS: Final = {
    0: "",
    CHAT_NOT_FOUND: "查找聊天窗失败",
    SEND_FAILED: "发送消息失败",
    BUTTON_NOT_FOUND: "按钮寻找失败",
    TARGET_NOT_FOUND: "目标寻找失败",
    DOWNLOAD_FAILED: "文件下载失败",
}
SYSTEM_LINE: Final = 10
FILE_TEXT_TYPES: Final = {"image": 2, "audio": 3, "video": 5, "*": 9}


@dataclass(slots=True)
class Outcome:
    """How one command ended, as the result callback will tell it."""

    error_code: int = 0
    succeeded: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def error_reason(self) -> str:
        return ERROR_REASONS.get(self.error_code, "执行失败") if self.error_code else ""


Put = Callable[[str], None]


def execute(world: World, robot: Robot, command: Json, plan: Plan) -> Outcome:
    """Run one command on the robot's phone."""
    executor = _EXECUTORS.get(command["type"], _acknowledge)
    return executor(world, robot, command, plan)


def _send_text(world: World, robot: Robot, command: Json, plan: Plan) -> Outcome:
    def put(chat: str) -> None:
        world.transcript.add(
            chat,
            "robot",
            robot.name,
            command["receivedContent"],
            robot_id=robot.id,
            at_list=list(command.get("atList") or []),
        )

    return _to_each_target(robot, command, plan, put)


def _push_file(world: World, robot: Robot, command: Json, plan: Plan) -> Outcome:
    def put(chat: str) -> None:
        world.transcript.add(
            chat,
            "robot",
            robot.name,
            command.get("extraText") or command.get("objectName") or "",
            robot_id=robot.id,
            text_type=FILE_TEXT_TYPES.get(command.get("fileType", "*"), FILE_TEXT_TYPES["*"]),
            file_url=command.get("fileUrl"),
        )

    return _to_each_target(robot, command, plan, put)


def _to_each_target(robot: Robot, command: Json, plan: Plan, put: Put) -> Outcome:
    titles: list[str] = command["titleList"]
    spoilt = set(titles[1:] or titles) if plan.error_code else set()
    outcome = Outcome()
    for title in titles:
        chat = None if title in spoilt else robot.find_chat(title)
        if chat is None:
            outcome.failed.append(title)
        else:
            put(chat)
            outcome.succeeded.append(title)
    if outcome.failed:
        outcome.error_code = plan.error_code or (SEND_FAILED if outcome.succeeded else CHAT_NOT_FOUND)
    return outcome


def _recall(world: World, robot: Robot, command: Json, plan: Plan) -> Outcome:
    outcome = Outcome()
    for title in command.get("titleList") or []:
        error_code = _recall_in(world, robot, title, str(command.get("originalContent", "")))
        outcome.error_code = outcome.error_code or error_code
        (outcome.failed if error_code else outcome.succeeded).append(title)
    return outcome


def _recall_in(world: World, robot: Robot, title: str, text: str) -> int:
    line = _find_own(world, robot, title, text)
    if line is None:
        return TARGET_NOT_FOUND
    if line.at < time.time() - RECALL_WINDOW_S:
        return BUTTON_NOT_FOUND
    world.transcript.remove(line)
    notice = f"{robot.name}撤回了一条消息"
    world.transcript.add(line.chat, "system", "", notice, robot_id=robot.id, text_type=SYSTEM_LINE)
    return 0


def _find_own(world: World, robot: Robot, title: str, text: str) -> Line | None:
    chat = robot.find_chat(title)
    if chat is None:
        return None
    own = (line for line in world.transcript.newest(chat) if line.author == "robot")
    return next((line for line in own if line.robot_id == robot.id and line.text == text), None)


def _list_members(world: World, robot: Robot, command: Json, plan: Plan) -> Outcome:
    """Name whoever has spoken in the group, and the robot. The real result's shape is unknown (worktool-api.md §10)."""
    group = str(command.get("groupName", ""))
    chat = robot.find_chat(group)
    if plan.error_code or chat is None or chat not in robot.rooms:
        return Outcome(plan.error_code or CHAT_NOT_FOUND, failed=[group])
    speakers = {line.sender: None for line in world.transcript.since(chat, 0) if line.author == "person"}
    return Outcome(succeeded=[*speakers, robot.name])


def _acknowledge(world: World, robot: Robot, command: Json, plan: Plan) -> Outcome:
    return Outcome(plan.error_code, list(command.get("titleList") or []))


Executor = Callable[[World, Robot, Json, Plan], Outcome]
_EXECUTORS: Final[dict[int, Executor]] = {
    SEND_TEXT: _send_text,
    PUSH_FILE: _push_file,
    RECALL: _recall,
    LIST_MEMBERS: _list_members,
}
