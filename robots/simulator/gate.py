"""The way of a request to the platform: ledger, limit, faults, endpoint, answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from robots.simulator.fault_kinds import Plan, Stage
from robots.simulator.platform import (
    BAD_FORMAT,
    Call,
    Endpoint,
    PlatformError,
    Result,
    check_caller,
    listed_commands,
)
from robots.simulator.records import Entry, Json, text_of
from robots.simulator.world import World
from worktool_ai.lib.loopback import Request, Response, json_response

SEND_PATH: Final = "/wework/sendRawMessage"
GATEWAY_TIMEOUT: Final = 504


class Gate:
    """Takes every request that is addressed to the platform."""

    def __init__(self, world: World, endpoints: Mapping[tuple[str, str], Endpoint]) -> None:
        self._world = world
        self._endpoints = endpoints
        self._paths = {path for _, path in endpoints}

    async def handle(self, request: Request) -> Response | None:
        """Answer one request, or ``None`` when its caller is gone."""
        robot_id = request.query.get("robotId", "")
        text = request.body.decode(errors="replace")
        entry = self._world.ledger.open(robot_id, request.method, request.path, request.client, text)
        body = _object(request)
        entry.commands = listed_commands(body) if request.path == SEND_PATH else []
        if not self._world.limiter.admit(request.client):
            return _answer(entry, 429, 429, "请求过于频繁，请稍后再试")
        plan = self._plan(request, entry)
        if plan.status:
            return _answer(entry, plan.status, plan.status, "平台繁忙")
        if plan.silent_before_s:
            return await _silence(request, entry, plan.silent_before_s)
        if plan.hold_before_s and await request.gone_within(plan.hold_before_s):
            return None
        response = await self._dispatch(request, entry, body)
        return await _leave(request, entry, plan, response)

    def _plan(self, request: Request, entry: Entry) -> Plan:
        rooms = {room for command in entry.commands for room in command["titleList"] or ()}
        stages = (Stage.REQUEST, Stage.SEND) if request.path == SEND_PATH else (Stage.REQUEST,)
        text = "\n".join(map(text_of, entry.commands))
        return self._world.faults.plan(*stages, robot_id=entry.robot_id, rooms=rooms, text=text)

    async def _dispatch(self, request: Request, entry: Entry, body: Json) -> Response:
        endpoint = self._endpoints.get((request.method, request.path))
        if endpoint is None:
            status = 405 if request.path in self._paths else 404
            return _answer(entry, status, status, "Not Found" if status == 404 else "Method Not Allowed")
        try:
            if not entry.robot_id:
                raise PlatformError(BAD_FORMAT, "robotId 不能为空")
            call = Call(self._world.robot(entry.robot_id), request.query, body, entry)
            check_caller(call.robot, request.query)
            result = await endpoint(call)
        except PlatformError as error:
            return _answer(entry, 200, error.code, error.message)
        return _success(entry, self._world.dialect.code, result)


async def _leave(request: Request, entry: Entry, plan: Plan, response: Response) -> Response | None:
    """Send the answer off, unless a fault keeps it back; what was accepted stays accepted."""
    code, entry.code, entry.status = entry.code, None, None
    if plan.silent_after_s:
        return await _silence(request, entry, plan.silent_after_s)
    if plan.hold_after_s and await request.gone_within(plan.hold_after_s):
        return None
    entry.code, entry.status = code, response.status
    return response


async def _silence(request: Request, entry: Entry, seconds: float) -> Response | None:
    if await request.gone_within(seconds):
        return None
    return _answer(entry, GATEWAY_TIMEOUT, GATEWAY_TIMEOUT, "Gateway Timeout")


def _object(request: Request) -> Json:
    try:
        body = request.json() if request.body else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _success(entry: Entry, code: int, result: Result) -> Response:
    entry.status, entry.code = 200, code
    return json_response(200, {"code": code, "message": result.message, "data": result.data})


def _answer(entry: Entry, status: int, code: int, message: str) -> Response:
    entry.status, entry.code = status, code
    return json_response(status, {"code": code, "message": message, "data": None})
