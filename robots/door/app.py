"""The ASGI app of the door: check, mint an id, make durable, answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import redis
from django.conf import settings

from robots.door.alive import AliveMark
from robots.door.batching import StoreAway
from robots.door.http import ClientGone, Receive, Scope, Send, TooLarge, answer, header, read_body, refuse_large
from robots.door.keys import KeyCache, KeysUnknown, RobotKeys
from robots.door.probes import Probes
from robots.door.raw_bodies import RawBodies
from robots.door.stores import CallbackStore
from robots.door.throttle import Throttle
from robots.inbound.body import BadBody, decode, is_configuration_test, is_probe
from robots.inbound.parse import room_of
from robots.models.inbound import CallbackKind
from robots.stream import Callback, partition_of
from worktool_ai.lib import clock, failpoints
from worktool_ai.lib.background import end
from worktool_ai.lib.ids import uuid7
from worktool_ai.lib.logs import get_logger

__all__ = ["PREFIX", "Door"]

logger = get_logger(__name__)

PREFIX = "/api/worktool/callback/"
#: The platform drops a request that is not answered within 3 s.
DEADLINE_S = 2.5
MAX_QUERY = 2048

_KINDS = frozenset(CallbackKind.values) - {CallbackKind.BACKFILL}


@dataclass(frozen=True, slots=True)
class _Route:
    """What the address says. ``robot_id`` is None where the key stands for it in the path."""

    kind: str
    robot_id: str | None
    key: str

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.robot_id or "", self.key)


@dataclass(slots=True)
class _Request:
    """One request and what became of it: ``reason`` is for our log and the page of raw bodies, never for the sender."""

    route: _Route
    client: str
    status: int = 200
    reason: str = ""
    robot: RobotKeys | None = None
    content_type: str = ""
    body: bytes = b""

    def end(self, status: int, reason: str) -> None:
        self.status, self.reason = status, reason

    @property
    def is_lost(self) -> bool:
        """Whether a callback of ours was not taken for no fault of its own: the platform will not post it again."""
        return self.status == 503 or (self.reason == "client_gone" and self.robot is not None)

    @property
    def slug(self) -> str:
        return self.robot.slug if self.robot else ""


class Door:
    """Answers ``POST /api/worktool/callback/…``. Started by the lifespan, or by its first request."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Open what the door needs on the running loop; never fails for a store that is away."""
        self._loop = asyncio.get_running_loop()
        self._keys = KeyCache()
        self._store = CallbackStore()
        self._probes = Probes()
        self._bodies = RawBodies()
        self._throttle = Throttle()
        self._alive = AliveMark()
        self._keys.start()
        self._store.start()
        self._bodies.start()
        self._alive.start()
        self._check = asyncio.create_task(self._check_durability(), name="door-durability")

    async def stop(self) -> None:
        """Close everything; requests must have ended."""
        if self._loop is None:
            return
        self._loop = None
        await end(self._check)
        await self._alive.stop()
        await self._keys.stop()
        await self._store.stop()
        await self._probes.stop()
        await self._bodies.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._loop is not asyncio.get_running_loop():
            await self.start()
        request = _Request(_route(scope), _client(scope))
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._handle(request, scope, receive)
        except TimeoutError:
            request.end(503, "deadline")
        except ClientGone:
            request.end(400, "client_gone")
        if request.is_lost:
            self._alive.refused(request.robot.uuid if request.robot else None)
        await self._answer(request, receive, send)

    async def _handle(self, request: _Request, scope: Scope, receive: Receive) -> None:
        if scope["method"] != "POST":
            return request.end(405, "method")
        try:
            await self._keys.ready()
        except KeysUnknown:
            return request.end(503, "keys_unknown")
        robot = self._keys.find(request.route.robot_id, request.route.key)
        if robot is None or not request.route.kind:
            return request.end(403, "robot_or_key")
        request.robot = robot
        try:
            request.content_type = header(scope, b"content-type")[:120]
            request.body = await read_body(scope, receive, settings.CALLBACK_MAX_BYTES)
            await self._take(request, robot)
        except TooLarge:
            request.end(413, "too_large")
        except BadBody as error:
            request.end(400, f"body: {error}")
        except StoreAway:
            request.end(503, "no_store")

    async def _take(self, request: _Request, robot: RobotKeys) -> None:
        payload = decode(request.body, request.content_type)
        kind = request.route.kind
        if is_probe(kind, payload) and await self._probes.is_one(kind, robot.uuid):
            return request.end(200, "probe")
        if is_configuration_test(kind, payload):
            return request.end(200, "configuration_test")
        room = room_of(payload) if kind == CallbackKind.MESSAGE else ""
        callback = Callback(
            id=uuid7(),
            kind=kind,
            robot_id=robot.uuid,
            partition=partition_of(robot.uuid, room),
            received_at=clock.now(),
            content_type=request.content_type,
            body=request.body,
        )
        await self._store.put(callback)
        failpoints.reach("door.stored")
        return None

    async def _answer(self, request: _Request, receive: Receive, send: Send) -> None:
        if request.status == 403 and self._throttle.exceeded(request.client):
            # Neither logged nor kept: whoever tries keys must not flush the page that shows what happened.
            await self._throttle.hold()
        else:
            self._note(request)
        if request.status == 413:
            await refuse_large(receive, send)
        else:
            await answer(send, request.status)

    def _note(self, request: _Request) -> None:
        if request.status != 200:
            logger.warning(
                "door.refused",
                kind=request.route.kind,
                status=request.status,
                reason=request.reason,
                robot=request.slug,
                client=request.client,
            )
        self._bodies.note(
            kind=request.route.kind,
            status=request.status,
            reason=request.reason,
            robot=request.slug,
            content_type=request.content_type,
            body=request.body,
            secrets=request.route.secrets,
        )

    async def _check_durability(self) -> None:
        try:
            problems = await self._store.durability_problems()
        except (redis.RedisError, OSError) as error:
            problems = [f"its settings cannot be read ({type(error).__name__})"]
        if problems:
            logger.warning("door.redis_not_durable", problems=problems)


def _route(scope: Scope) -> _Route:
    """Read ``<kind>?robotId=&key=`` or ``<key>/<kind>``. An unknown kind is empty: it may be a misplaced key."""
    *token, kind = scope["path"].removeprefix(PREFIX).strip("/").split("/")
    kind = kind if kind in _KINDS else ""
    if token:
        return _Route(kind, None, "/".join(token))
    query = parse_qs(scope["query_string"][:MAX_QUERY].decode("utf-8", "replace"))
    return _Route(kind, _first(query, "robotId"), _first(query, "key"))


def _first(query: dict[str, list[str]], name: str) -> str:
    return query.get(name, [""])[0]


def _client(scope: Any) -> str:
    return scope["client"][0] if scope.get("client") else ""
