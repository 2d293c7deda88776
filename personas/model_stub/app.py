"""The stub as one ASGI application: ``/v1`` speaks OpenAI's wire format, ``/stub`` controls it."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError

from personas.model_stub.answers import (
    answer,
    customer_words,
    echoes,
    last_user_text,
    picture_of,
    purpose_of,
    tokens_of,
)
from personas.model_stub.behaviour import Behaviour, FaultBoard, Faults, behave, in_model_name, in_text
from personas.model_stub.stats import Stats
from worktool_ai.lib.loopback import LoopbackApp, Request, Response, json_response

#: The latest requests are kept as they came in.
KEPT_REQUESTS = 50

Route = Callable[[Request], Awaitable[Response | None]]


class BadRequest(Exception):
    """The request is not one of the wire format."""


class ModelStub:
    """Holds faults and counts; ``latency_s`` is what every answer takes at least."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._faults = FaultBoard()
        self._stats = Stats()
        self._asked: deque[dict[str, Any]] = deque(maxlen=KEPT_REQUESTS)
        self._ids = itertools.count(1)
        self._routes: dict[tuple[str, str], Route] = {
            ("POST", "/v1/chat/completions"): self.complete,
            ("GET", "/v1/models"): self.models,
            ("GET", "/stub/health"): self.health,
            ("GET", "/stub/stats"): self.stats,
            ("DELETE", "/stub/stats"): self.clear_stats,
            ("GET", "/stub/requests"): self.requests,
            ("GET", "/stub/faults"): self.faults,
            ("PUT", "/stub/faults"): self.set_faults,
        }

    async def handle(self, request: Request) -> Response | None:
        route = self._routes.get((request.method, request.path))
        if route is None:
            return _error(404, f"unknown path {request.method} {request.path}")
        return await route(request)

    async def complete(self, request: Request) -> Response | None:
        try:
            asked = _parse(request)
        except BadRequest as error:
            return _error(400, str(error))
        self._asked.append(asked)
        text, purpose, picture = last_user_text(asked["messages"]), purpose_of(asked), picture_of(asked["messages"])
        orders = in_model_name(asked["model"]) + in_text(text, purpose) + self._faults.struck(text, purpose)
        try:
            behaviour = behave(orders)
        except ValueError as error:
            return _error(400, f"marker: {error}")
        with self._stats.call(customer_words(text), echoes(text), purpose):
            reply = behaviour.text if behaviour.text is not None else answer(text, purpose, picture)
            return await self._respond(request, asked, behaviour, reply)

    async def _respond(
        self, request: Request, asked: dict[str, Any], behaviour: Behaviour, reply: str
    ) -> Response | None:
        wait_s = behaviour.hang_s or behaviour.sleep_s or self._latency_s
        if wait_s and await request.gone_within(wait_s):
            self._stats.abandoned()
            return None
        status = behaviour.status or (504 if behaviour.hang_s else 200)
        if status != 200:
            return _error(status, f"the stub was asked to answer {status}")
        return json_response(200, self._completion(asked, reply))

    def _completion(self, asked: dict[str, Any], reply: str) -> dict[str, Any]:
        prompt = sum(tokens_of(message.get("content") or "") for message in asked["messages"])
        return {
            "id": f"chatcmpl-stub-{next(self._ids)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": asked["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": reply, "refusal": None},
                    "finish_reason": "stop",
                    "logprobs": None,
                }
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": len(reply),
                "total_tokens": prompt + len(reply),
            },
        }

    async def models(self, request: Request) -> Response:
        model = {"id": "stub", "object": "model", "created": 0, "owned_by": "model-stub"}
        return json_response(200, {"object": "list", "data": [model]})

    async def health(self, request: Request) -> Response:
        return json_response(200, {"status": "ok"})

    async def stats(self, request: Request) -> Response:
        return json_response(200, self._stats.as_json())

    async def requests(self, request: Request) -> Response:
        return json_response(200, {"requests": list(self._asked)})

    async def clear_stats(self, request: Request) -> Response:
        self._stats.clear()
        return json_response(200, self._stats.as_json())

    async def faults(self, request: Request) -> Response:
        return json_response(200, self._faults.as_json())

    async def set_faults(self, request: Request) -> Response:
        try:
            self._faults.replace(Faults.model_validate_json(request.body).faults)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            return _error(400, f"{'.'.join(str(part) for part in first['loc']) or 'body'}: {first['msg']}")
        return json_response(200, self._faults.as_json())


def _parse(request: Request) -> dict[str, Any]:
    try:
        asked = request.json()
    except ValueError as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(asked, dict) or not isinstance(asked.get("model"), str):
        raise BadRequest("model: required")
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise BadRequest("messages: a list of messages is required")
    if asked.get("stream"):
        raise BadRequest("stream: the stub gives whole answers only")
    return asked


def _error(status: int, message: str) -> Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return json_response(status, {"error": {"message": message, "type": kind, "param": None, "code": str(status)}})


def create_app(*, latency_s: float = 0.0) -> LoopbackApp:
    """Return a fresh stub."""
    return LoopbackApp(ModelStub(latency_s).handle)
