"""The business panel's socket: who may listen, what they hear, and that nothing is lost or told twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.db import transaction
from django.test import Client

from monitoring import consumers
from monitoring.live import hub as hubs
from monitoring.live.frames import CloseCode, End
from monitoring.live.view import BUSINESS, View
from monitoring.routing import websocket_application
from tests.monitoring import builders
from worktool_ai.accounts.models import Role, ScopeKind, User
from worktool_ai.events import services
from worktool_ai.events.cursor import stream_key
from worktool_ai.events.models import EventBatch, RelayPosition
from worktool_ai.events.relay import Relay
from worktool_ai.events.types import Event, EventType

pytestmark = pytest.mark.django_db(transaction=True)


def event(text: str, robot: str = "demo", kind: EventType = "message_received", **data: Any) -> Event:
    said = {"userName": "张三", "groupName": "客服群", "content": text, **data}
    return {"type": kind, "at": "2026-11-22T08:00:00Z", "robot": robot, "group": "售后", "data": said}


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    one = await sync_to_async(Relay)()
    assert await sync_to_async(one.lock)()
    yield one
    await sync_to_async(one.close)()


@pytest.fixture
def tell(relay: Relay):
    def write_and_publish(events: tuple[Event, ...]) -> None:
        for item in events:
            with transaction.atomic():
                services.record(item)
        last = EventBatch.objects.order_by("-xid", "-id").first()
        while last and RelayPosition.objects.get().batch_id != last.pk:
            relay.step()

    async def tell(*events: Event | str) -> None:
        whole = tuple(event(item) if isinstance(item, str) else item for item in events)
        await sync_to_async(write_and_publish)(whole)

    return tell


class Socket:
    """A browser's side of the panel's socket."""

    def __init__(self, person: User | None, cursor: str = "", origin: str = "http://testserver") -> None:
        headers = [(b"host", b"testserver"), (b"origin", origin.encode())]
        if person is not None:
            client = Client()
            client.force_login(person)
            self.client = client
            headers.append((b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()))
        scope = {
            "type": "websocket",
            "path": "/ws/panel/business",
            "query_string": f"cursor={cursor}".encode(),
            "headers": headers,
            "subprotocols": [],
        }
        self.wire = ApplicationCommunicator(websocket_application, scope)
        self.hello: dict[str, Any] = {}
        self.cursor = ""

    async def accepted(self) -> bool:
        await self.wire.send_input({"type": "websocket.connect"})
        return bool((await self.wire.receive_output(10))["type"] == "websocket.accept")

    async def open(self) -> bool:
        if not await self.accepted():
            return False
        self.hello = await self.message()
        self.cursor = self.hello["cursor"]
        return True

    async def message(self) -> dict[str, Any]:
        sent = await self.wire.receive_output(15)
        assert sent["type"] == "websocket.send", sent
        message: dict[str, Any] = json.loads(sent["text"])
        return message

    async def texts(self, count: int) -> list[str]:
        """The contents of the next events, waiting until there are so many."""
        found: list[str] = []
        while len(found) < count:
            message = await self.message()
            found += [item["data"]["content"] for item in message.get("events", [])]
            self.cursor = message["cursor"]
        return found

    async def close_code(self) -> int:
        while True:
            message = await self.wire.receive_output(10)
            if message["type"] == "websocket.close":
                code: int = message["code"]
                return code

    async def close(self) -> None:
        await self.wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wire.wait(10)


@pytest.fixture
async def connect() -> AsyncIterator[Any]:
    opened: list[Socket] = []

    async def connect(person: User | None, cursor: str = "") -> Socket:
        socket = await sync_to_async(Socket)(person, cursor)
        assert await socket.open()
        opened.append(socket)
        return socket

    yield connect
    for socket in opened:
        await socket.close()


async def a_person(role: str = Role.OPERATOR, robots: list[str] | None = None) -> User:
    return await sync_to_async(builders.person)(role, robots)


async def test_tells_what_happens_from_now_on(tell, connect):
    await tell("before")
    socket = await connect(await a_person())
    assert socket.hello["resumed"] is False
    await tell("a", "b")
    assert await socket.texts(2) == ["a", "b"]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://testserver"])
async def test_strangers_are_refused(origin, relay):
    socket = Socket(None, origin=origin)
    assert not await socket.open()


@pytest.mark.parametrize("origin", ["https://evil.example", "http://testserver:81", "", "null"])
async def test_foreign_pages_are_refused_even_with_a_session(origin, relay):
    socket = await sync_to_async(Socket)(await a_person(), origin=origin)
    assert not await socket.open()


async def test_the_public_address_is_ours_behind_a_proxy(relay, settings):
    settings.PUBLIC_URL = "https://panel.example"
    socket = await sync_to_async(Socket)(await a_person(), origin="https://panel.example")
    assert await socket.open()
    await socket.close()


async def test_every_event_is_checked_against_the_scope(tell, connect):
    socket = await connect(await a_person(robots=["mine"]))
    await tell(event("theirs", robot="theirs"), event("of no robot", robot=""), event("mine", robot="mine"))
    assert await socket.texts(1) == ["mine"]


async def test_a_reconnected_socket_hears_what_it_missed_once(tell, connect):
    person = await a_person()
    first = await connect(person)
    await tell("seen")
    assert await first.texts(1) == ["seen"]
    await first.close()
    await tell("missed 1", "missed 2")

    second = await connect(person, first.cursor)

    assert second.hello["resumed"] is True
    await tell("live")
    assert await second.texts(3) == ["missed 1", "missed 2", "live"]


async def test_resumes_from_memory_while_others_listen(tell, connect, monkeypatch):
    person = await a_person()
    await connect(person)
    second = await connect(person)
    await tell("seen")
    await second.texts(1)
    await second.close()
    await tell("missed")
    monkeypatch.setattr(hubs.reader, "replay", lambda *_: pytest.fail("the table was asked"))
    third = await connect(person, second.cursor)
    assert await third.texts(1) == ["missed"]


@pytest.mark.parametrize("cursor", ["nonsense", "00000000-0000-4000-8000-000000000000:7-7"])
async def test_a_cursor_that_means_nothing_loads_the_page_again(cursor, tell, connect):
    await tell("before")
    socket = await connect(await a_person(), cursor)
    assert socket.hello["resumed"] is False


async def test_what_redis_lost_is_read_from_the_table(tell, connect, broker_redis, monkeypatch):
    monkeypatch.setattr(hubs, "CHECK_S", 0.0)
    socket = await connect(await a_person())
    await tell("a")
    assert await socket.texts(1) == ["a"]

    def lose() -> None:
        with transaction.atomic():
            services.record(event("lost in the stream"))
        last = EventBatch.objects.latest("id")
        RelayPosition.objects.update(xid=last.xid, batch_id=last.pk)
        broker_redis.delete(stream_key(RelayPosition.objects.get().epoch))

    await sync_to_async(lose)()
    assert await socket.texts(1) == ["lost in the stream"]


async def test_goes_on_after_redis_dropped_its_connections(tell, connect, broker_redis, monkeypatch):
    monkeypatch.setattr(hubs, "RETRY_S", 0.05)
    socket = await connect(await a_person())
    await sync_to_async(broker_redis.client_kill_filter)(_type="normal", skipme=True)
    await tell_after_reconnect(tell)
    assert await socket.texts(1) == ["after"]


async def tell_after_reconnect(tell) -> None:
    for _attempt in range(5):
        try:
            await tell("after")
            return
        except Exception:  # the relay's own connection was dropped too: it makes a new one at the next step
            await asyncio.sleep(0.1)
    pytest.fail("the relay did not come back")


async def test_a_slow_socket_is_told_to_reload_and_holds_up_nobody(tell, connect, monkeypatch):
    monkeypatch.setattr(hubs, "QUEUE_FRAMES", 2)
    person = await a_person()
    quick = await connect(person)
    before = set(hubs.hub()._subscriptions)
    await connect(person)
    (slow,) = hubs.hub()._subscriptions - before
    with monkeypatch.context() as network:
        network.setattr(slow, "get", asyncio.Event().wait)  # takes nothing any more
        for number in range(5):
            await tell(str(number))
            assert await quick.texts(1) == [str(number)]
    assert await slow.get() == [End(CloseCode.RELOAD)]


@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"role": Role.VIEWER},
        {"scope_kind": ScopeKind.ROBOTS, "scope_values": ["other"]},
    ],
    ids=["switched off", "another role", "another scope"],
)
async def test_changed_rights_end_the_socket(change, relay, connect):
    person = await a_person()
    socket = await connect(person)
    await User.objects.filter(pk=person.pk).aupdate(**change)
    assert await socket.close_code() == CloseCode.RIGHTS_CHANGED


async def test_signing_out_ends_the_socket(relay, connect):
    socket = await connect(await a_person())
    await sync_to_async(socket.client.logout)()
    assert await socket.close_code() == CloseCode.RIGHTS_CHANGED


async def test_silence_is_filled_with_heartbeats_that_carry_the_cursor(tell, connect, monkeypatch):
    monkeypatch.setattr(consumers, "HEARTBEAT_S", 0.1)
    socket = await connect(await a_person(robots=["mine"]))
    await tell(event("theirs", robot="theirs"))
    last = str((await sync_to_async(RelayPosition.objects.get)()).xid)
    for _beat in range(50):
        message = await socket.message()
        assert message["type"] == "heartbeat"
        if f":{last}-" in message["cursor"]:
            return
    pytest.fail("the cursor did not move with what was not shown")


async def test_without_stores_the_browser_is_told_to_try_again(connect, settings, monkeypatch):
    monkeypatch.setattr(hubs, "START_S", 0.2)
    monkeypatch.setattr(hubs.Hub, "_read_on", lambda *_: asyncio.sleep(60))
    socket = await sync_to_async(Socket)(await a_person())
    assert await socket.accepted()
    assert await socket.close_code() == CloseCode.TRY_AGAIN


async def test_what_a_browser_sends_is_ignored(tell, connect):
    socket = await connect(await a_person())
    await socket.wire.send_input({"type": "websocket.receive", "text": '{"type": "message_received"}'})
    await tell("a")
    assert await socket.texts(1) == ["a"]


def view_of(role: str) -> View:
    return View.of(User(role=role), BUSINESS)


def test_viewers_hear_no_names_and_no_unknown_fields():
    shown = view_of(Role.VIEWER).show(
        event("我是张三，电话 13800138000", fileUrl="https://x/张三.png", target="客服群")
    )
    assert shown is not None
    assert shown["data"] == {
        "groupName": "客服群",
        "userName": "张＊",
        "target": "客服群",
        "content": "我是张＊，电话 ＊＊＊",
    }
    private = view_of(Role.VIEWER).show(event("在吗", groupName="", target="张三"))
    assert private is not None
    assert "张三" not in str(private)


def test_the_business_panel_hears_no_inner_works():
    assert view_of(Role.OWNER).show(event("x", kind="node_executed")) is None
    assert view_of(Role.OWNER).show(event("x")) == event("x")
