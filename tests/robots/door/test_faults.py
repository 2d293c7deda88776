"""What the door does when a store is away. A 200 means durable, whatever happened."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
import redis
from django.conf import LazySettings

from robots.door import stores
from robots.door.batching import BatchWriter, StoreAway
from robots.door.keys import KeyCache, KeysUnknown
from robots.door.stores import CallbackStore
from robots.models import InboxEntry, Robot
from robots.stream import Callback
from tests.robots.door.client import DoorClient, in_thread, open_door, until
from tests.robots.door.conftest import Stream
from tests.robots.inbound.builders import KEY, ROBOT_ID, line
from worktool_ai.lib.ids import uuid7

NOWHERE = "redis://127.0.0.1:1/0"
NO_DATABASE = {"host": "127.0.0.1", "port": 1, "dbname": "nothing"}


@pytest.fixture
def no_redis(settings: LazySettings) -> None:
    settings.REDIS_URL = NOWHERE


async def test_redis_refused_the_inbox_takes_over_in_order(robot: Robot, no_redis: None):
    async with open_door() as door:
        for number in range(5):
            assert (await door.post(body=line(f"第{number}句"))).status == 200
        entries = await in_thread(lambda: list(InboxEntry.objects.order_by("id")))
    assert [f"第{number}句" in bytes(entry.body).decode() for number, entry in enumerate(entries)] == [True] * 5


async def test_redis_refused_an_empty_body_is_no_probe(robot: Robot, no_redis: None):
    async with open_door() as door:
        assert (await door.post("offline", b"")).status == 200
        entry = await in_thread(InboxEntry.objects.get)
    assert entry.kind == "offline"


async def test_redis_hangs_the_inbox_takes_over_within_the_deadline(
    door: DoorClient, durable_redis: redis.Redis, stream: Stream
):
    """While every client is held, 30 lines at once are answered in time; what landed twice has one id."""
    durable_redis.client_pause(1500, all=True)
    began = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(door.post(body=line(f"第{n}句")) for n in range(30)))
    assert {answer.status for answer in answers} == {200}
    assert asyncio.get_running_loop().time() - began < 2.5
    assert await in_thread(InboxEntry.objects.count) == 30
    inbox = set(await in_thread(lambda: list(InboxEntry.objects.values_list("id", flat=True))))
    assert {one.id for one in await in_thread(stream.callbacks)} <= inbox
    # and once Redis is back it is used again
    while not any("又一句" in one.body.decode() for one in await in_thread(stream.callbacks)):
        assert (await door.post(body=line("又一句"))).status == 200


async def test_lines_said_at_once_share_their_way_to_disk(
    robot: Robot, stream: Stream, monkeypatch: pytest.MonkeyPatch
):
    """300 concurrent callbacks become a few pipelines."""
    monkeypatch.setattr(stores, "STREAM_S", 10.0)  # a slow disk must not send some of them to the inbox
    sizes: list[int] = []
    add = CallbackStore._add_to_stream

    async def counted(store: CallbackStore, callbacks: Sequence[Callback]) -> None:
        sizes.append(len(callbacks))
        await add(store, callbacks)

    monkeypatch.setattr(CallbackStore, "_add_to_stream", counted)
    async with open_door() as door:
        answers = await asyncio.gather(*(door.post(body=line(f"第{n}句")) for n in range(300)))
    assert {answer.status for answer in answers} == {200}
    assert sum(sizes) == len(await in_thread(stream.callbacks)) == 300
    assert len(sizes) <= 10


async def test_both_stores_away_is_a_503(robot: Robot, no_redis: None, monkeypatch: pytest.MonkeyPatch):
    async with open_door() as door:
        assert (await door.post(body=line())).status == 200  # the keys are known now

        async def refuse(*args: object) -> None:
            raise OSError("refused")

        monkeypatch.setattr("robots.door.stores.connect_postgres", refuse)
        await door.door._store._close_postgres()
        answer = await door.post(body=line())
        assert (answer.status, answer.json()) == (503, {"code": 503, "message": ""})


async def test_keys_serve_on_without_postgres(door: DoorClient, monkeypatch: pytest.MonkeyPatch, stream: Stream):
    assert (await door.post(body=line())).status == 200
    looked = Counter[str]()

    async def refuse(*args: object) -> None:
        looked["again"] += 1
        raise OSError("refused")

    monkeypatch.setattr("robots.door.keys.connect_postgres", refuse)
    monkeypatch.setattr("robots.door.keys.EVERY_S", 0.01)
    await door.door._keys._close()
    await until(lambda: looked["again"] >= 2)
    assert (await door.post(body=line("又"))).status == 200
    assert (await door.post(body=line(), key="wrong")).status == 403
    assert len(stream) == 2
    monkeypatch.undo()


async def test_a_door_that_starts_without_postgres_takes_its_predecessors_copy(
    door: DoorClient, monkeypatch: pytest.MonkeyPatch
):
    assert (await door.post(body=line())).status == 200

    async def refuse(*args: object) -> None:
        raise OSError("refused")

    monkeypatch.setattr("robots.door.keys.connect_postgres", refuse)
    async with open_door() as second:
        assert (await second.post(body=line("又"))).status == 200


async def test_without_any_copy_nobody_is_called_wrong(robot: Robot, no_redis: None, monkeypatch: pytest.MonkeyPatch):
    async def refuse(*args: object) -> None:
        raise OSError("refused")

    monkeypatch.setattr("robots.door.keys.connect_postgres", refuse)
    monkeypatch.setattr("robots.door.keys.FIRST_LOAD_S", 0.1)
    async with open_door() as door:
        assert (await door.post(body=line())).status == 503
    with pytest.raises(KeysUnknown):
        await KeyCache().ready()


async def test_a_redis_that_could_lose_lines_is_told_at_the_start(
    robot: Robot, caplog: pytest.LogCaptureFixture, durable_redis: redis.Redis
):
    before = durable_redis.config_get("maxmemory-policy")["maxmemory-policy"]
    durable_redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        async with open_door():
            await until(lambda: "door.redis_not_durable" in caplog.text)
    finally:
        durable_redis.config_set("maxmemory-policy", before)
    assert "maxmemory-policy is allkeys-lru, not noeviction" in caplog.text


# -- the batching itself -----------------------------------------------------------------------------------------------


async def test_what_comes_during_a_write_is_written_together():
    written: list[list[int]] = []
    go = asyncio.Event()

    async def write(items: Sequence[int]) -> None:
        written.append(list(items))
        await go.wait()

    writer = BatchWriter("test", write, most=4)
    writer.start()
    puts = [asyncio.create_task(writer.put(n, 5)) for n in range(7)]
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*puts)
    await writer.stop()
    assert written == [[0, 1, 2, 3], [4, 5, 6]]


async def test_an_item_that_nobody_waits_for_is_not_written():
    written: list[int] = []
    go = asyncio.Event()

    async def write(items: Sequence[int]) -> None:
        written.extend(items)
        await go.wait()

    writer = BatchWriter("test", write)
    writer.start()
    first = asyncio.create_task(writer.put(1, 5))
    await until(lambda: written)
    with pytest.raises(StoreAway):
        await writer.put(2, 0.01)
    assert not writer.available()
    go.set()
    await first
    assert writer.available()
    await writer.stop()
    assert written == [1]


async def test_stopping_tells_those_who_wait():
    async def write(items: Sequence[int]) -> None:
        await asyncio.Event().wait()

    writer = BatchWriter("test", write)
    writer.start()
    puts = [asyncio.create_task(writer.put(n, 5)) for n in range(2)]
    await asyncio.sleep(0.01)
    await writer.stop()
    found = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(one) for one in found] == [StoreAway, StoreAway]


def test_ids_order_like_their_minting():
    minted = [uuid7() for _ in range(20_000)]
    assert minted == sorted(minted)
    assert len(set(minted)) == len(minted)
    assert KEY != ROBOT_ID
