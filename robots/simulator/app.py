"""Puts the simulator together as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from robots.simulator import control, page
from robots.simulator.callbacks import Callbacks, Poster
from robots.simulator.control import Control
from robots.simulator.downloads import Downloads
from robots.simulator.gate import Gate
from robots.simulator.people import People
from robots.simulator.phone import Phones
from robots.simulator.platform import Platform
from robots.simulator.queries import Queries
from robots.simulator.world import EVENT_NAMES, Settings, World
from worktool_ai.lib.loopback import LoopbackApp, Request, Response, StartRefused


def create_app(
    *,
    token: str,
    pace_s: float = 0.5,
    limit: int = 60,
    window_s: float = 60.0,
    robots: Mapping[str, str] | None = None,
) -> LoopbackApp:
    """Return a fresh simulator.

    ``token`` guards ``/sim``; ``pace_s`` is what the phone needs for one command; ``limit`` requests to the
    platform's paths are let through in ``window_s`` seconds. ``robots`` connects robots from the start:
    robotId to the address of our callbacks, in which ``{event}`` stands for message, result, qrcode, online
    and offline.
    """
    if not token:
        raise StartRefused("The simulator needs a token: --token or SIMULATOR_TOKEN.")
    world = World(Settings(token, pace_s, limit, window_s))
    for robot_id, address in (robots or {}).items():
        urls = {type_: address.replace("{event}", event) for type_, event in EVENT_NAMES.items()}
        world.robot(robot_id).urls.update(urls)
    return _assemble(world)


def _assemble(world: World) -> LoopbackApp:
    poster = Poster()
    callbacks = Callbacks(world, poster)
    downloads = Downloads()
    phones = Phones(world, callbacks, downloads)
    operated = Control(world, People(world, callbacks), callbacks, phones)
    gate = Gate(world, Platform(world, callbacks, phones).endpoints() | Queries(world).endpoints())

    async def handle(request: Request) -> Response | None:
        if request.path.startswith(control.PREFIX):
            return await operated.handle(request)
        return page.serve_page(request) or await gate.handle(request)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with poster.open(), downloads.open():
            yield
            await world.stop()

    return LoopbackApp(handle, lifespan)
