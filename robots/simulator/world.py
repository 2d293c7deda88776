"""All state of the simulator: robots, chats, logs, and what is set through the control interface."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from robots.simulator.dialect import Dialect
from robots.simulator.faults import FaultBoard
from robots.simulator.records import KEEP, Callback, Ledger, MessageIds, Run, Transcript

ROBOT_NAME: Final = "机器人"

#: Callback types of the platform (worktool-api.md §3.1).
QR_CODE: Final = 0
RESULT: Final = 1
ONLINE: Final = 5
OFFLINE: Final = 6
NEW_MESSAGE: Final = 11
TYPE_NAMES: Final = {
    QR_CODE: "群二维码",
    RESULT: "指令执行结果",
    ONLINE: "机器人上线",
    OFFLINE: "机器人下线",
    NEW_MESSAGE: "新消息",
}
#: The names of our own callback paths, for a robot that is connected at start (``--robot``).
EVENT_NAMES: Final = {
    NEW_MESSAGE: "message",
    RESULT: "result",
    QR_CODE: "qrcode",
    ONLINE: "online",
    OFFLINE: "offline",
}

#: What ``callBackRequestType`` says of the message callbacks' bodies.
FORM_BODY: Final = 1
JSON_BODY: Final = 2

#: A licence runs so long from a robot's first mention on.
LICENCE_S: Final = 365 * 24 * 3600.0

#: What ``replyAll`` lets through (worktool-api.md §3.2).
REPLY_NONE: Final = -1
REPLY_MENTIONS: Final = 0
REPLY_EVERYTHING: Final = 1


@dataclass(slots=True)
class Settings:
    """``pace_s`` is what the phone needs for one command; ``limit`` requests are let through in
    ``window_s`` per IP.
    """

    token: str
    pace_s: float = 0.5
    limit: int = 60
    window_s: float = 60.0


@dataclass(slots=True)
class Session:
    """One time on line, epoch seconds; ``until`` is ``None`` while it lasts."""

    since: float
    until: float | None = None


@dataclass
class Robot:
    """A robot as the platform knows it. It exists from the first time that anybody names it.

    With ``key_check`` on, every call must carry ``key``. ``body_type`` is None where the dialect decides.
    """

    id: str
    name: str = ROBOT_NAME
    corporation: str = "演示企业"
    is_known: bool = True
    key: str = ""
    key_check: int = 0
    body_type: int | None = None
    expires: float = field(default_factory=lambda: time.time() + LICENCE_S)
    sessions: list[Session] = field(default_factory=lambda: [Session(time.time())])
    open_callback: int = 1
    reply_all: int = REPLY_EVERYTHING
    encrypt_type: int = 0
    created: float = field(default_factory=time.time)
    urls: dict[int, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    rooms: dict[str, float] = field(default_factory=dict)

    def wants(self, at_me: bool, private: bool) -> bool:
        """Tell whether the platform calls back for such a line."""
        if not self.open_callback or not self.urls.get(NEW_MESSAGE) or self.reply_all == REPLY_NONE:
            return False
        return self.reply_all == REPLY_EVERYTHING or at_me or private

    def presence(self, online: bool) -> None:
        """Note that the phone went on or off line."""
        if online:
            self.sessions.append(Session(time.time()))
        elif self.sessions and self.sessions[-1].until is None:
            self.sessions[-1].until = time.time()

    def find_chat(self, title: str) -> str | None:
        """Find the chat that a command addresses: where a remark is set, only the remark works (§4.6)."""
        for room, remark in self.remarks.items():
            if remark == title:
                return room
        return None if self.remarks.get(title) else title

    def join(self, room: str, remark: str) -> None:
        self.rooms.setdefault(room, time.time())
        if remark:
            self.remarks[room] = remark
        else:
            self.remarks.pop(room, None)


class Limiter:
    """The platform's limit: so many requests per caller in a sliding window; a refused one does not count."""

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._admitted: dict[str, deque[float]] = {}

    def admit(self, ip: str) -> bool:
        now = time.monotonic()
        admitted = self._admitted.setdefault(ip, deque())
        while admitted and admitted[0] <= now - self._window_s:
            admitted.popleft()
        if len(admitted) >= self._limit:
            return False
        admitted.append(now)
        return True


class World:
    """Everything there is. Lives in one event loop; nothing here needs a lock."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.dialect = Dialect()
        self.faults = FaultBoard()
        self.robots: dict[str, Robot] = {}
        self.transcript = Transcript()
        self.ledger = Ledger()
        self.limiter = Limiter(settings.limit, settings.window_s)
        self.runs: deque[Run] = deque(maxlen=KEEP)
        self.callbacks: deque[Callback] = deque(maxlen=KEEP)
        self.ids = MessageIds()
        self._tasks: set[asyncio.Task[Any]] = set()

    def robot(self, robot_id: str) -> Robot:
        return self.robots.setdefault(robot_id, Robot(robot_id))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run in the background, until done or the simulator stops."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
