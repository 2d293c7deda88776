"""What the platform posts to us: each callback once, no retry, with the faults that are set for it."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from robots.simulator import payloads
from robots.simulator.fault_kinds import Plan, Stage
from robots.simulator.records import Callback, Entry, Json, Run, text_of
from robots.simulator.world import NEW_MESSAGE, OFFLINE, ONLINE, QR_CODE, RESULT, Robot, World
from worktool_ai.lib.loopback import is_loopback_url

#: The platform drops a message callback that has not been answered by then (worktool-api.md §2.3).
TIMEOUT_S: Final = 3.0
# Below the five seconds after which uvicorn closes an idle connection, so that none is reused while it
# closes.
IDLE_CONNECTION_S: Final = 4.0
# aiohttp wants to send what is larger in pieces.
LARGE_BYTES: Final = 1024 * 1024
DEFAULT_PATIENCE: Final = aiohttp.ClientTimeout(total=TIMEOUT_S)


@dataclass(slots=True)
class Reply:
    """How our side answered: ``status`` is ``None`` when it did not. ``payload`` is its JSON object, else
    empty.
    """

    status: int | None
    payload: Json
    is_json: bool
    seconds: float

    @property
    def accepted(self) -> bool:
        return self.status == 200 and self.payload.get("code", 0) == 0

    @property
    def bindable(self) -> bool:
        return self.status == 200 and self.is_json


NOT_POSTED: Final = Reply(None, {}, is_json=False, seconds=0.0)


class Poster:
    """Posts to loopback addresses over kept connections."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_CONNECTION_S)
        async with aiohttp.ClientSession(
            connector=connector, timeout=DEFAULT_PATIENCE, cookie_jar=aiohttp.DummyCookieJar()
        ) as self._session:
            yield

    async def post(self, url: str, body: bytes, content_type: str) -> Reply:
        if self._session is None or not is_loopback_url(url):
            return NOT_POSTED
        began = time.monotonic()
        headers = {"Content-Type": content_type}
        data = io.BytesIO(body) if len(body) > LARGE_BYTES else body
        try:
            async with self._session.post(url, data=data, headers=headers, allow_redirects=False) as answer:
                text = await answer.text(errors="replace")
                is_json = answer.content_type == "application/json"
                return Reply(answer.status, _parse(text), is_json, time.monotonic() - began)
        except (aiohttp.ClientError, TimeoutError):
            return Reply(None, {}, is_json=False, seconds=time.monotonic() - began)


def _parse(text: str) -> Json:
    try:
        payload: Any = json.loads(text)
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


class Sequencer:
    """Lets one callback wait until the next one of the same robot has passed it."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, list[asyncio.Event]] = defaultdict(list)

    async def fall_behind(self, lane: str, seconds: float) -> None:
        passed = asyncio.Event()
        self._waiting[lane].append(passed)
        try:
            await asyncio.wait_for(passed.wait(), seconds)
        except TimeoutError:
            self._waiting[lane].remove(passed)

    def passed(self, lane: str) -> None:
        for event in self._waiting.pop(lane, []):
            event.set()


class Callbacks:
    """Posts message, result, QR code and presence callbacks."""

    def __init__(self, world: World, poster: Poster) -> None:
        self._world = world
        self._poster = poster
        self._sequencer = Sequencer()

    async def answers(self, url: str) -> bool:
        """Call an address the way bind does: it must answer 200 with application/json."""
        return (await self._poster.post(url, *payloads.as_json(payloads.BIND_PROBE))).bindable

    async def answers_message(self, robot: Robot, url: str) -> bool:
        """Post the platform's sample line, as it does when a message callback is set."""
        sample = payloads.configuration_test(self._world.dialect)
        return (await self._poster.post(url, *payloads.encode(sample, self._world.dialect, robot.body_type))).bindable

    async def message(self, robot: Robot, chat: str, body: Json) -> Reply:
        """Post one line; returns the first answer. A non-zero code puts its message into the chat (§2.3)."""
        plan = self._world.faults.plan(Stage.MESSAGE, robot_id=robot.id, rooms=(chat,), text=str(body["rawSpoken"]))
        row = Callback(robot.id, time.time(), robot.urls[NEW_MESSAGE], body)
        self._world.callbacks.append(row)
        encoded = payloads.encode(body, self._world.dialect, robot.body_type)

        async def post() -> Reply:
            reply = await self._poster.post(row.url, *encoded)
            row.time_cost, row.answer = round(reply.seconds, 3), str(reply.payload.get("message") or "")
            self._post_refusal(robot, chat, reply)
            return reply

        return await self._deliver(f"message {robot.id}", plan, post)

    def _post_refusal(self, robot: Robot, chat: str, reply: Reply) -> None:
        text = str(reply.payload.get("message") or "")
        if reply.payload.get("code", 0) != 0 and text:
            self._world.transcript.add(chat, "robot", robot.name, text, robot_id=robot.id)

    async def result(self, robot: Robot, entry: Entry, run: Run, rooms: list[str]) -> None:
        """Post the result of one command, when a callback of that type is bound."""
        url = robot.urls.get(RESULT)
        if not url:
            return
        plan = self._world.faults.plan(Stage.RESULT, robot_id=robot.id, rooms=rooms, text=text_of(run.command))
        encoded = payloads.as_json(payloads.result(run))

        async def post() -> Reply:
            reply = await self._poster.post(url, *encoded)
            entry.results.append((time.time(), reply.status))
            return reply

        await self._deliver(f"result {robot.id}", plan, post)

    async def qr_code(self, robot: Robot, group: str, message_id: str) -> None:
        """Post a group's QR code after it was created or edited (§3.4)."""
        await self._plain(robot, QR_CODE, payloads.qr_code(group, message_id))

    async def presence(self, robot: Robot, online: bool) -> None:
        await self._plain(robot, ONLINE if online else OFFLINE, payloads.presence(robot.name, online))

    async def _plain(self, robot: Robot, type_: int, body: Json) -> None:
        if url := robot.urls.get(type_):
            await self._poster.post(url, *payloads.as_json(body))

    async def _deliver(self, lane: str, plan: Plan, post: Callable[[], Awaitable[Reply]]) -> Reply:
        """Carry out a plan; returns the first reply."""
        if plan.delay_s:
            await asyncio.sleep(plan.delay_s)
        if plan.behind_s:
            await self._sequencer.fall_behind(lane, plan.behind_s)
        replies = [await post() for _ in range(plan.copies)]
        if not plan.behind_s:
            self._sequencer.passed(lane)
        return replies[0] if replies else NOT_POSTED
