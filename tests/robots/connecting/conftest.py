"""A robot, a platform that can be set wrong, and a door that answers as ours does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from robots.connecting import Check, examine, gather
from robots.models import Robot
from tests.robots.outbound.conftest import ROBOT_ID, final_commands, robot, simulator
from worktool_ai.lib.loopback import LoopbackApp, Request, Response, json_response, running

__all__ = ["ROBOT_ID", "checks", "door", "final_commands", "robot", "simulator"]


@pytest.fixture
def door(settings: Settings) -> Iterator[list[str]]:
    """Something that answers as our door and health page do, at our public address; the paths that were asked."""
    paths: list[str] = []

    async def accept(request: Request) -> Response:
        paths.append(request.path)
        if request.path == "/healthz":
            return json_response(200, {"status": "ok"})
        return json_response(200, {"code": 0, "message": "success"})

    with running(LoopbackApp(accept)) as url:
        settings.PUBLIC_URL = url
        yield paths


def checks(robot: Robot) -> dict[str, Check]:
    """Look at a robot, and return its checks by key."""
    robot.refresh_from_db()
    return {check.key: check for section in examine(gather(robot, ask=True)) for check in section.checks}
