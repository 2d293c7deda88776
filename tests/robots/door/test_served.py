"""The site under a real server: uvicorn with lifespan, sockets and keep-alive."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import aiohttp
import pytest_asyncio
import uvicorn
from django.conf import LazySettings

from robots.door import PREFIX
from robots.models import Robot
from tests.robots.door.client import in_thread
from tests.robots.door.conftest import Stream
from tests.robots.inbound.builders import KEY, ROBOT_ID, line
from worktool_ai.asgi import Site

QUERY = urlencode({"robotId": ROBOT_ID, "key": KEY})


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    config = uvicorn.Config(Site(), lifespan="on", log_config=None, access_log=False, ws="none")
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()


@pytest_asyncio.fixture
async def url(robot: Robot) -> AsyncIterator[str]:
    async with serving() as address:
        yield address


async def test_lines_said_at_once_are_each_stored_once(url: str, stream: Stream):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=50)) as session:

        async def say(number: int) -> int:
            async with session.post(f"{url}{PREFIX}message?{QUERY}", json=line(f"第{number}句")) as answer:
                assert await answer.json() == {"code": 0, "message": "success"}
                return answer.status

        assert set(await asyncio.gather(*(say(number) for number in range(300)))) == {200}
    callbacks = await in_thread(stream.callbacks)
    assert len({json.loads(one.body)["spoken"] for one in callbacks}) == len(callbacks) == 300


async def test_the_sender_of_a_too_large_body_reads_the_answer(url: str, settings: LazySettings):
    settings.CALLBACK_MAX_BYTES = 100_000
    async with aiohttp.ClientSession() as session:
        body = io.BytesIO(b"x" * 3_000_000)
        async with session.post(f"{url}{PREFIX}message?{QUERY}", data=body) as answer:
            assert (answer.status, await answer.json()) == (413, {"code": 413, "message": ""})
        async with session.post(f"{url}{PREFIX}message?{QUERY}", json=line()) as answer:
            assert answer.status == 200


async def test_everything_else_is_served_beside_the_door(url: str):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/healthz") as answer:
            assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        async with session.get(f"{url}/readyz") as answer:
            assert (answer.status, (await answer.json())["status"]) == (503, "down")
        async with session.post(f"{url}/healthz") as answer:
            assert answer.status == 405
        async with session.get(f"{url}/admin/login/") as answer:
            assert answer.status == 200
