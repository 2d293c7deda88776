"""The panels' sockets. What they say to a browser::

    {"type": "hello", "cursor", "resumed": bool, "heartbeatS": 15}   first; not resumed = load the history now
    {"type": "events", "cursor", "events": [...]}                    several at once, in order
    {"type": "heartbeat", "cursor"}                                  silence longer than two of them = dead

and then the close codes of :class:`monitoring.live.frames.CloseCode`.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer

from monitoring.live.frames import CloseCode, End, Frame, message
from monitoring.live.hub import HubAway, Subscription, hub
from monitoring.live.rights import Holder, fingerprint, rights_watch
from monitoring.live.view import BUSINESS, View
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.events.cursor import Cursor

__all__ = ["BusinessPanelConsumer"]

HEARTBEAT_S = 15.0


class PanelConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A socket that only talks: what a browser sends is read and dropped."""

    requires: ClassVar[Ability]
    types: ClassVar[frozenset[str]]
    #: No Redis channel per socket: frames come from the hub of this process.
    channel_layer_alias = "none"

    subscription: Subscription | None = None
    pump: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        person = self.scope["user"]
        if not may(person, self.requires):
            await self.close()  # before accept: a plain 403
            return
        self.view = View.of(person, self.types)
        await self.accept()
        try:
            self.subscription, missed, here = await hub().join(self._cursor())
        except HubAway:
            await self.close(CloseCode.TRY_AGAIN)
            return
        session = self.scope["session"].session_key or ""
        rights_watch().add(self.subscription, Holder(person.pk, session, fingerprint(person)))
        await self.send(message("hello", here, resumed=missed is not None, heartbeatS=HEARTBEAT_S))
        if missed is not None:
            await self._send_frames([missed])
        self.pump = asyncio.create_task(self._run(self.subscription, here))

    async def disconnect(self, code: int) -> None:
        if self.pump is not None:
            self.pump.cancel()
            # a socket that broke in mid-send ended its pump: nobody is left to tell
            await asyncio.gather(self.pump, return_exceptions=True)
        if self.subscription is not None:
            await rights_watch().remove(self.subscription)
            await hub().leave(self.subscription)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Ignore it: a panel has nothing to say here."""

    def _cursor(self) -> Cursor | None:
        given = parse_qs(self.scope["query_string"].decode("latin-1")).get("cursor", [""])
        return Cursor.parse(given[0])

    async def _run(self, subscription: Subscription, at: Cursor) -> None:
        while True:
            try:
                items = await asyncio.wait_for(subscription.get(), HEARTBEAT_S)
            except TimeoutError:
                await self.send(message("heartbeat", at))
                continue
            frames = [item for item in items if isinstance(item, Frame)]
            if frames:
                at = frames[-1].cursor
                await self._send_frames(frames)
            for item in items:
                if isinstance(item, End):
                    await self.close(item.code)
                    return

    async def _send_frames(self, frames: list[Frame]) -> None:
        shown = ",".join(text for frame in frames if (text := frame.encoded(self.view)))
        if shown:
            await self.send(f'{{"type":"events","cursor":"{frames[-1].cursor}","events":[{shown}]}}')


class BusinessPanelConsumer(PanelConsumer):
    """``/ws/panel/business?cursor=``: lines, answers, commands and alerts inside the person's robot scope."""

    requires = Ability.READ_LINES
    types = BUSINESS
