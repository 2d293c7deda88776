"""A callback door for tests of the simulator: it records what the platform posts and answers as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from robots.simulator.testing import SimulatorClient
from worktool_ai.lib.loopback import LoopbackApp, Request, Response, json_response, running

ROBOT = "wt0123456789"
ROOM = "客服群"


@dataclass
class Post:
    """One callback as it came in."""

    path: str
    content_type: str
    body: Any


@dataclass
class Door:
    """``answer`` is given to every post, after ``wait_s``."""

    posts: list[Post] = field(default_factory=list)
    answer: Response = field(default_factory=lambda: json_response(200, {"code": 0, "message": "success"}))
    wait_s: float = 0.0
    url: str = ""

    async def handle(self, request: Request) -> Response:
        content_type = request.headers["content-type"]
        body = request.json() if content_type == "application/json" else dict(parse_qsl(request.body.decode()))
        self.posts.append(Post(request.path, content_type, body))
        await asyncio.sleep(self.wait_s)
        return self.answer

    def bodies(self, event: str) -> list[Any]:
        """Return the bodies posted to ``/<event>``, oldest first."""
        return [post.body for post in self.posts if post.path == f"/{event}"]

    def texts(self) -> list[str]:
        return [body["spoken"] for body in self.bodies("message")]

    def results(self) -> list[str]:
        """Return the texts whose results came in, in that order."""
        return [json.loads(body["rawMsg"])["receivedContent"] for body in self.bodies("result")]

    def connect(self, sim: SimulatorClient) -> None:
        """Configure robot and callbacks as our gateway does, and forget the platform's test posts."""
        update = {"openCallback": 1, "replyAll": 1, "callbackUrl": f"{self.url}/message"}
        replies = [sim.call("POST", "/robot/robotInfo/update", ROBOT, update)]
        for type_, event in ((0, "qrcode"), (1, "result"), (5, "online"), (6, "offline")):
            binding = {"type": type_, "callBackUrl": f"{self.url}/{event}"}
            replies.append(sim.call("POST", "/robot/robotInfo/callBack/bind", ROBOT, binding))
        assert [reply["code"] for reply in replies] == [200] * 5
        self.posts.clear()


def command(text: str, *rooms: str, **more: Any) -> dict[str, Any]:
    return {"type": 203, "titleList": list(rooms or (ROOM,)), "receivedContent": text, **more}


def send(sim: SimulatorClient, *commands: dict[str, Any]) -> dict[str, Any]:
    return sim.call("POST", "/wework/sendRawMessage", ROBOT, {"socketType": 2, "list": list(commands)})


@contextmanager
def open_door() -> Iterator[Door]:
    door = Door()
    with running(LoopbackApp(door.handle)) as door.url:
        yield door
