"""What the simulator remembers: the chats, the ledger of requests, the platform's own logs. All bounded."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

KEEP = 50_000
CHINA = timezone(timedelta(hours=8))

Author = Literal["person", "robot", "system"]
Json = dict[str, Any]


def iso_time(at: float) -> str:
    """Format epoch seconds as the control interface does: ``2026-11-22T08:00:00.123+08:00``."""
    return datetime.fromtimestamp(at, CHINA).isoformat(timespec="milliseconds")


def platform_time(at: float) -> str:
    """Format epoch seconds as the platform's queries do: China time, no zone."""
    return datetime.fromtimestamp(at, CHINA).strftime("%Y-%m-%d %H:%M:%S")


def text_of(command: Json) -> str:
    """Return what a command says; empty when it says nothing."""
    return str(command.get("receivedContent") or "")


class MessageIds:
    """Mints the platform's message ids: 19 digits, rising, unique across restarts."""

    def __init__(self) -> None:
        self._last = 0

    def mint(self) -> str:
        self._last = max(self._last + 1, int(time.time() * 1000) << 20)
        return str(self._last)


@dataclass(slots=True)
class Line:
    """One line of a chat, as the people in it see it. ``chat`` is the room's title or, in private, the
    person.
    """

    id: int
    at: float
    chat: str
    author: Author
    robot_id: str | None
    sender: str
    text: str
    text_type: int = 1
    at_list: list[str] = field(default_factory=list)
    file_url: str | None = None
    message_id: str | None = None

    def as_json(self) -> Json:
        return {
            "id": self.id,
            "at": iso_time(self.at),
            "from": self.author,
            "robotId": self.robot_id,
            "sender": self.sender,
            "text": self.text,
            "textType": self.text_type,
            "atList": self.at_list,
            "fileUrl": self.file_url,
            "messageId": self.message_id,
        }


class Transcript:
    """All chats. Line ids rise over all of them, so one cursor serves every reader."""

    def __init__(self, keep: int = KEEP) -> None:
        self._ids = itertools.count(1)
        self._keep = keep
        self._all: deque[Line] = deque()
        self._chats: defaultdict[str, deque[Line]] = defaultdict(deque)

    def add(self, chat: str, author: Author, sender: str, text: str, **more: Any) -> Line:
        more.setdefault("robot_id", None)
        line = Line(next(self._ids), time.time(), chat, author, sender=sender, text=text, **more)
        self._all.append(line)
        self._chats[chat].append(line)
        if len(self._all) > self._keep:
            self.remove(self._all[0])
        return line

    def remove(self, line: Line) -> None:
        """Take a line out of its chat: it was recalled, or is the oldest of too many."""
        self._all.remove(line)
        self._chats[line.chat].remove(line)
        if not self._chats[line.chat]:
            del self._chats[line.chat]

    def since(self, chat: str | None, since: int) -> list[Line]:
        """Return the lines of one chat (``None``: of all) with an id above ``since``, oldest first."""
        lines = self._all if chat is None else self._chats.get(chat, deque())
        newer = list(itertools.takewhile(lambda line: line.id > since, reversed(lines)))
        return newer[::-1]

    def newest(self, chat: str) -> Iterator[Line]:
        """Iterate over a chat from its newest line back."""
        return reversed(self._chats.get(chat, deque()))

    def heads(self) -> list[Line]:
        """Return the newest line of every chat, the liveliest chat first."""
        return sorted((lines[-1] for lines in self._chats.values()), key=lambda line: -line.id)


@dataclass(slots=True)
class Execution:
    """The phone ran command ``index`` of a request."""

    index: int
    at: float
    error_code: int
    succeeded: list[str]
    failed: list[str]

    def as_json(self) -> Json:
        return {
            "index": self.index,
            "at": iso_time(self.at),
            "errorCode": self.error_code,
            "successList": self.succeeded,
            "failList": self.failed,
        }


@dataclass(slots=True)
class Entry:
    """One request of ours. ``status`` stays ``None`` while it is held, and for good when it was never
    answered.

    ``message_id`` is set at the moment the platform accepts a send, which may be long before the answer;
    ``body`` is the text that was posted.
    """

    seq: int
    at: float
    robot_id: str
    method: str
    path: str
    ip: str
    body: str = ""
    status: int | None = None
    code: int | None = None
    message_id: str | None = None
    commands: list[Json] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    results: list[tuple[float, int | None]] = field(default_factory=list)

    def as_json(self) -> Json:
        return {
            "seq": self.seq,
            "at": iso_time(self.at),
            "robotId": self.robot_id,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "code": self.code,
            "messageId": self.message_id,
            "commands": self.commands,
            "executions": [execution.as_json() for execution in self.executions],
            "results": [{"at": iso_time(at), "status": status} for at, status in self.results],
        }


class Ledger:
    """Every request to the platform's paths, in order of arrival; refused ones and queries too."""

    def __init__(self, keep: int = KEEP) -> None:
        self._seq = itertools.count(1)
        self._entries: deque[Entry] = deque(maxlen=keep)

    def open(self, robot_id: str, method: str, path: str, ip: str, body: str) -> Entry:
        entry = Entry(next(self._seq), time.time(), robot_id, method, path, ip, body)
        self._entries.append(entry)
        return entry

    @property
    def last(self) -> int:
        return self._entries[-1].seq if self._entries else 0

    def since(self, since: int) -> list[Entry]:
        newer = list(itertools.takewhile(lambda entry: entry.seq > since, reversed(self._entries)))
        return newer[::-1]

    def sends(self, robot_id: str) -> list[Entry]:
        """Return the accepted sends of one robot, oldest first."""
        return [entry for entry in self._entries if entry.message_id and entry.robot_id == robot_id]


@dataclass(slots=True)
class Run:
    """A row of the platform's "what ran" log: one executed command."""

    robot_id: str
    message_id: str
    at: float
    time_cost: float
    command: Json
    error_code: int
    error_reason: str
    succeeded: list[str]
    failed: list[str]

    @property
    def type(self) -> int:
        return int(self.command["type"])


@dataclass(slots=True)
class Callback:
    """A row of the platform's callback log: one message callback that it made, delivered or not."""

    robot_id: str
    at: float
    url: str
    body: Json
    answer: str = ""
    time_cost: float = 0.0
