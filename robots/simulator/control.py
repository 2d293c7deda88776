"""The control interface, ``/sim``: bearer token, UTF-8 JSON; a 400 names the field."""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from robots.simulator.callbacks import Callbacks
from robots.simulator.dialect import Dialect
from robots.simulator.fault_kinds import KINDS
from robots.simulator.faults import Faults
from robots.simulator.people import People, Saying
from robots.simulator.phone import Phones
from robots.simulator.records import Json, Line, iso_time
from robots.simulator.robot_settings import RobotSettings, shown_robot
from robots.simulator.world import NEW_MESSAGE, Robot, World
from worktool_ai.lib.loopback import Request, Response, json_response

PREFIX: Final = "/sim/"
HEALTH: Final = "/sim/health"

Model = TypeVar("Model", bound=BaseModel)
Route = Callable[[Request], Awaitable[Any]]


class Refused(Exception):
    """A control request is refused; ``field`` says what is wrong, empty when it is no single field."""

    def __init__(self, status: HTTPStatus, message: str, field: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": int(status), "message": message, "field": field}


class Control:
    """Answers ``/sim/*``. None of it counts against the platform's limit."""

    def __init__(self, world: World, people: People, callbacks: Callbacks, phones: Phones) -> None:
        self._world = world
        self._people = people
        self._callbacks = callbacks
        self._phones = phones
        self._routes: dict[tuple[str, str], Route] = {
            ("POST", "/sim/say"): self.say,
            ("GET", "/sim/transcript"): self.transcript,
            ("GET", "/sim/ledger"): self.ledger,
            ("GET", "/sim/dialect"): self.dialect,
            ("PUT", "/sim/dialect"): self.set_dialect,
            ("GET", "/sim/faults"): self.faults,
            ("POST", "/sim/faults"): self.set_faults,
            ("GET", "/sim/robot"): self.robot,
            ("PUT", "/sim/robot"): self.set_robot,
            ("GET", "/sim/overview"): self.overview,
        }

    async def handle(self, request: Request) -> Response:
        if (request.method, request.path) == ("GET", HEALTH):
            return json_response(200, {"status": "ok"})
        try:
            self._check_token(request)
            return json_response(200, await self._route(request)(request))
        except Refused as refused:
            return json_response(refused.status, refused.body)

    def _check_token(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._world.settings.token}".encode()):
            raise Refused(HTTPStatus.UNAUTHORIZED, "bearer token missing or wrong")

    def _route(self, request: Request) -> Route:
        route = self._routes.get((request.method, request.path))
        if route is not None:
            return route
        if request.path in {path for _, path in self._routes}:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path} does not take {request.method}")
        raise Refused(HTTPStatus.NOT_FOUND, f"no such path: {request.path}")

    async def say(self, request: Request) -> Json:
        said = await self._people.say(_parse(Saying, request))
        return {
            "id": said.line_id,
            "messageId": said.message_id,
            "delivered": said.reply.accepted,
            "status": said.reply.status,
            "ms": round(said.reply.seconds * 1000),
        }

    async def transcript(self, request: Request) -> Json:
        """Return the lines of one chat; without ``room`` those of all chats."""
        lines = self._world.transcript.since(request.query.get("room"), _since(request))
        return {"lines": [line.as_json() for line in lines]}

    async def ledger(self, request: Request) -> Json:
        ledger = self._world.ledger
        return {"last": ledger.last, "entries": [entry.as_json() for entry in ledger.since(_since(request))]}

    async def dialect(self, request: Request) -> Json:
        return self._world.dialect.model_dump()

    async def set_dialect(self, request: Request) -> Json:
        self._world.dialect = _parse(Dialect, request)
        return self._world.dialect.model_dump()

    async def faults(self, request: Request) -> Json:
        return self._world.faults.as_json()

    async def set_faults(self, request: Request) -> Json:
        """Replace all faults; a robot whose phone goes off or on line by that is announced as the platform
        does.
        """
        before = self._offline()
        self._world.faults.replace(_parse(Faults, request).faults)
        after = self._offline()
        for robot_id in before ^ after:
            robot = self._world.robot(robot_id)
            robot.presence(robot_id not in after)
            self._world.spawn(self._callbacks.presence(robot, online=robot_id not in after))
        return self._world.faults.as_json()

    async def robot(self, request: Request) -> Json:
        """Return what is set for one robot (``robotId``)."""
        robot_id = request.query.get("robotId") or ""
        if not robot_id:
            raise Refused(HTTPStatus.BAD_REQUEST, "robotId: must be given", "robotId")
        return shown_robot(self._world.robot(robot_id))

    async def set_robot(self, request: Request) -> Json:
        """Set a robot as its owner could have left it, a wrong callback address included: nothing is tested."""
        wanted = _parse(RobotSettings, request)
        robot = self._world.robot(wanted.robotId)
        wanted.apply(robot, time.time())
        return shown_robot(robot)

    def _offline(self) -> set[str]:
        return {robot_id for robot_id in self._world.robots if self._world.faults.is_offline(robot_id)}

    async def overview(self, request: Request) -> Json:
        """Return what the chat page lists: robots, chats (the liveliest first) and the kinds of faults."""
        return {
            "robots": [self._robot_row(robot) for robot in self._world.robots.values()],
            "chats": [self._chat_row(line) for line in self._world.transcript.heads()],
            "faultKinds": [
                {"kind": kind.name, "label": kind.label, "seconds": kind.seconds} for kind in KINDS.values()
            ],
        }

    def _robot_row(self, robot: Robot) -> Json:
        return {
            "robotId": robot.id,
            "name": robot.name,
            "online": not self._world.faults.is_offline(robot.id),
            "connected": bool(robot.urls.get(NEW_MESSAGE)),
            "waiting": self._phones.of(robot).waiting,
        }

    def _chat_row(self, line: Line) -> Json:
        rooms = {room for robot in self._world.robots.values() for room in robot.rooms}
        return {
            "chat": line.chat,
            "kind": "room" if line.chat in rooms else "private",
            "robotId": line.robot_id,
            "lastId": line.id,
            "lastText": line.text,
            "lastAt": iso_time(line.at),
        }


def _parse(model: type[Model], request: Request) -> Model:
    try:
        return model.model_validate_json(request.body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        message = f"{field or 'body'}: {first['msg']}"
        raise Refused(HTTPStatus.BAD_REQUEST, message, field or "body") from error


def _since(request: Request) -> int:
    text = request.query.get("since") or "0"
    if not text.isascii() or not text.isdigit():
        raise Refused(HTTPStatus.BAD_REQUEST, "since: must be a whole number", "since")
    return int(text)
