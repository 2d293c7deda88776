"""People in the chats: what they say goes into the transcript and, by the platform's rules, to our
callback.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from robots.simulator import payloads
from robots.simulator.callbacks import NOT_POSTED, TIMEOUT_S, Callbacks, Reply
from robots.simulator.records import Json
from robots.simulator.world import Robot, World

#: How much later the second copy, the one with a messageId, comes in the dialect "late" (worktool-api.md
#: §2.5).
LATE_ID_S: Final = 2.0


class Saying(BaseModel):
    """The body of ``POST /sim/say``. Without ``room`` it is a private chat with the robot."""

    model_config = ConfigDict(extra="forbid", strict=True)

    robotId: str = Field(min_length=1, max_length=200)
    sender: str = Field(min_length=1, max_length=200)
    text: str
    room: str | None = Field(default=None, max_length=200)
    textType: int = 1
    roomType: int | None = None
    atMe: bool = False
    groupRemark: str = Field(default="", max_length=200)
    messageId: str | None = None
    fileBase64: str | None = None

    @property
    def chat(self) -> str:
        return self.room or self.sender

    @property
    def room_type(self) -> int:
        if self.roomType is not None:
            return self.roomType
        return payloads.ROOM_EXTERNAL if self.room else payloads.PERSON_EXTERNAL

    @property
    def private(self) -> bool:
        return not self.room or self.room_type in payloads.PRIVATE_ROOM_TYPES

    @property
    def names_id(self) -> bool:
        """Tell whether the caller chose the messageId (null included), not the dialect."""
        return "messageId" in self.model_fields_set


@dataclass(slots=True)
class Said:
    """What became of a saying: the transcript's line, the platform's id and the answer of our side."""

    line_id: int
    message_id: str | None
    reply: Reply


class SharedIds:
    """Hands one id to several different lines, as was seen at the platform; an equal line gets a new one."""

    LINES_PER_ID = 4

    def __init__(self, world: World) -> None:
        self._world = world
        self._current: dict[str, tuple[str, set[tuple[str, str, str]]]] = {}

    def take(self, saying: Saying) -> str:
        line = (saying.chat, saying.sender, saying.text)
        message_id, lines = self._current.get(saying.robotId, ("", set()))
        if not message_id or line in lines or len(lines) >= self.LINES_PER_ID:
            message_id, lines = self._world.ids.mint(), set()
        lines.add(line)
        self._current[saying.robotId] = (message_id, lines)
        return message_id


class People:
    """Says lines on behalf of customers."""

    def __init__(self, world: World, callbacks: Callbacks) -> None:
        self._world = world
        self._callbacks = callbacks
        self._shared = SharedIds(world)

    async def say(self, saying: Saying) -> Said:
        """Add the line to its chat and post it; waits for our answer, three seconds at most."""
        robot = self._world.robot(saying.robotId)
        if saying.room:
            robot.join(saying.room, saying.groupRemark)
        message_id = self._message_id(saying)
        line = self._world.transcript.add(
            saying.chat,
            "person",
            saying.sender,
            saying.text,
            robot_id=robot.id,
            text_type=saying.textType,
            at_list=[robot.name] if saying.atMe else [],
            message_id=message_id,
        )
        if not robot.wants(saying.atMe, saying.private) or self._world.faults.is_offline(robot.id):
            return Said(line.id, message_id, NOT_POSTED)
        return Said(line.id, message_id, await self._post(robot, saying, message_id))

    def _message_id(self, saying: Saying) -> str | None:
        if saying.names_id:
            return saying.messageId
        if self._world.dialect.messageId == "absent":
            return None
        if self._world.dialect.messageId == "shared":
            return self._shared.take(saying)
        return self._world.ids.mint()

    async def _post(self, robot: Robot, saying: Saying, message_id: str | None) -> Reply:
        body = self._body(robot, saying)
        identified = {**body, "messageId": message_id}
        if saying.names_id or self._world.dialect.messageId in ("unique", "shared"):
            return await self._first_answer(robot, saying, identified)
        if self._world.dialect.messageId == "late":
            self._world.spawn(self._again(robot, saying, identified))
        return await self._first_answer(robot, saying, body)

    async def _first_answer(self, robot: Robot, saying: Saying, body: Json) -> Reply:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        async def post() -> None:
            reply = await self._callbacks.message(robot, saying.chat, body)
            if not answer.done():
                answer.set_result(reply)

        self._world.spawn(post())
        try:
            return await asyncio.wait_for(answer, TIMEOUT_S)
        except TimeoutError:
            return Reply(None, {}, is_json=False, seconds=TIMEOUT_S)

    async def _again(self, robot: Robot, saying: Saying, body: Json) -> None:
        await asyncio.sleep(LATE_ID_S)
        await self._callbacks.message(robot, saying.chat, body)

    def _body(self, robot: Robot, saying: Saying) -> Json:
        spoken, raw = self._spoken(robot, saying)
        body: Json = {
            "spoken": spoken,
            "rawSpoken": raw,
            "receivedName": saying.sender,
            "groupName": saying.room or "",
            "groupRemark": saying.groupRemark,
            "roomType": saying.room_type,
            "atMe": payloads.at_me_value(self._world.dialect, saying.atMe),
            "textType": saying.textType,
        }
        if saying.fileBase64 is not None:
            body["fileBase64"] = saying.fileBase64
        return body

    @staticmethod
    def _spoken(robot: Robot, saying: Saying) -> tuple[str, str]:
        """Return the text without and with the mention."""
        mention = f"@{robot.name}"
        if saying.text.startswith(mention):
            return saying.text.removeprefix(mention).strip(), saying.text
        return saying.text, f"{mention} {saying.text}" if saying.atMe else saying.text
