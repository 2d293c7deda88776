"""What the door answers, exactly as reference/interface.md says."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from robots import bind_notes
from robots.bind_notes import being_bound
from robots.door import PREFIX, raw_bodies
from robots.models import InboxEntry, Robot
from robots.stream import partition_of
from tests.robots.door.client import NEVER, DoorClient, in_thread, until
from tests.robots.door.conftest import Stream
from tests.robots.inbound.builders import KEY, ROBOT_ID, contract, line, make_robot
from worktool_ai.lib import clock
from worktool_ai.lib.crypto import fingerprint

KINDS = ["message", "result", "qrcode", "online", "offline"]
SUCCESS = {"code": 0, "message": "success"}
MESSAGES = contract("message_callbacks")


def refused(status: int) -> dict[str, object]:
    return {"code": status, "message": ""}


async def test_a_line_is_durable_and_answered(door: DoorClient, robot: Robot, stream: Stream):
    answer = await door.post(body=line(messageId="19"))
    assert (answer.status, answer.json()) == (200, SUCCESS)
    assert answer.headers["content-type"] == "application/json"
    (stored,) = stream.callbacks()
    assert (stored.kind, stored.robot_id, stored.id.version) == ("message", robot.pk, 7)
    assert stored.partition == partition_of(robot.pk, "客服群")
    assert b'"messageId": "19"' in stored.body
    assert abs(clock.now() - stored.received_at) < timedelta(seconds=5)


async def test_all_five_callbacks_come_in_by_both_addresses(door: DoorClient, stream: Stream):
    body = {"messageId": "1", "errorCode": 0, "groupName": "客服群", "qrCode": "https://x", "spoken": "在吗"}
    for kind in KINDS:
        by_query = await door.post(kind, body)
        by_token = await door.post(path=f"{PREFIX}{KEY}/{kind}", body=body)
        assert (by_query.status, by_token.status) == (200, 200)
    assert sorted(one.kind for one in stream.callbacks()) == sorted(KINDS * 2)


async def test_every_documented_body_is_taken(door: DoorClient, stream: Stream):
    lines = [fixture for name, fixture in MESSAGES.items() if name != "configuration_test"]
    for fixture in lines:
        answer = await door.post(body=fixture["body"], content_type=fixture["content_type"])
        assert answer.status == 200, fixture["name"]
    assert len(stream) == len(lines)


async def test_test_post_and_bind_probe_start_nothing(door: DoorClient, robot: Robot, stream: Stream):
    asked = [
        ("message", MESSAGES["configuration_test"]["body"]),
        *((kind, body) for kind in KINDS for body in (b"", {})),
    ]
    with being_bound(robot.pk, "online"), being_bound(robot.pk, "offline"):
        for kind, body in asked:
            answer = await door.post(kind, body)
            assert (answer.status, answer.json()) == (200, SUCCESS)
    assert len(stream) == 0


async def test_without_a_bind_of_ours_an_empty_body_says_that_the_phone_has_gone(
    door: DoorClient, robot: Robot, stream: Stream
):
    with being_bound(robot.pk, "online"):
        assert (await door.post("offline", b"")).json() == SUCCESS
        assert (await door.post("online", {})).json() == SUCCESS
    assert [callback.kind for callback in stream.callbacks()] == ["offline"]


async def test_a_bind_that_has_ended_is_forgotten(
    door: DoorClient, robot: Robot, stream: Stream, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bind_notes, "GRACE_S", 0)
    with being_bound(robot.pk, "online"):
        pass
    await door.post("online", b"")
    assert [callback.kind for callback in stream.callbacks()] == ["online"]


async def test_unknown_robot_and_wrong_key_look_the_same(door: DoorClient, stream: Stream):
    attempts: list[dict[str, Any]] = [
        {"key": "wrong"},
        {"robot_id": "wt-nobody"},
        {"key": None},
        {"robot_id": None},
        {"robot_id": None, "key": None},
        {"path": f"{PREFIX}wrong-token/message"},
        {"path": f"{PREFIX}{ROBOT_ID}/message"},
        {"path": f"{PREFIX}{KEY}"},
        {"path": f"{PREFIX}{KEY}/nonsense"},
        {"path": f"{PREFIX}a/b/message"},
        {"path": PREFIX},
        {"kind": "nonsense"},
    ]
    for asked in attempts:
        answer = await door.post(body=line(), **asked)
        assert (answer.status, answer.json()) == (403, refused(403)), asked
        assert answer.read == 0  # the key is checked before the body
    assert len(stream) == 0


async def test_neither_json_object_nor_form_is_refused(door: DoorClient, stream: Stream):
    for body in (b"hello", b"[]", b'"x"', b"\xff\xfe"):
        answer = await door.post(body=body)
        assert (answer.status, answer.json()) == (400, refused(400))
    assert len(stream) == 0


async def test_only_post_is_known(door: DoorClient):
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        answer = await door.post(method=method)
        assert (answer.status, answer.json(), answer.headers["allow"]) == (405, refused(405), "POST")


async def test_too_large_is_answered_first_and_read_afterwards(
    door: DoorClient, stream: Stream, settings: LazySettings
):
    settings.CALLBACK_MAX_BYTES = 1000
    chunks = [b"x" * 400] * 10
    announced = await door.post(chunks=list(chunks))
    assert (announced.status, announced.json()) == (413, refused(413))
    assert announced.read_before_answer == 0
    assert announced.read == 4000
    unannounced = await door.post(chunks=list(chunks), announced=0)
    assert (unannounced.status, unannounced.read_before_answer, unannounced.read) == (413, 1200, 4000)
    assert len(stream) == 0


async def test_a_body_that_never_ends_meets_the_deadline(door: DoorClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("robots.door.app.DEADLINE_S", 0.1)
    answer = await door.post(chunks=[b"{", NEVER], announced=100)
    assert (answer.status, answer.json()) == (503, refused(503))


async def test_a_large_body_goes_to_the_inbox_and_not_through_redis(door: DoorClient, robot: Robot, stream: Stream):
    body = line("", textType=2, fileBase64="iVBO" * 20_000)
    answer = await door.post(body=body)
    assert (answer.status, len(stream)) == (200, 0)
    entry = await in_thread(InboxEntry.objects.get)
    assert (entry.robot_id, entry.kind, entry.partition) == (robot.pk, "message", partition_of(robot.pk, "客服群"))
    assert len(entry.body) > 64 * 1024


# -- keys --------------------------------------------------------------------------------------------------------------


async def test_changes_are_followed(door: DoorClient):
    """A new robot gets in, a rotated key works on until its time, a removed robot stays out."""
    new = await in_thread(lambda: make_robot("wt-new", "new-key", slug="new"))

    async def status(key: str) -> int:
        return (await door.post(body=line(), robot_id="wt-new", key=key)).status

    async def becomes(key: str, expected: int) -> None:
        while await status(key) != expected:
            await until(lambda: True)

    await becomes("new-key", 200)
    rotated = {
        "callback_key_digest": fingerprint("rotated-key"),
        "previous_key_digest": fingerprint("new-key"),
        "previous_key_until": clock.now() + timedelta(hours=24),
    }
    await in_thread(lambda: Robot.objects.filter(pk=new.pk).update(**rotated))
    await becomes("rotated-key", 200)
    assert await status("new-key") == 200
    assert (await door.post(path=f"{PREFIX}new-key/message", body=line())).status == 200
    late = {"previous_key_until": clock.now()}
    await in_thread(lambda: Robot.objects.filter(pk=new.pk).update(**late))
    await becomes("new-key", 403)
    assert await status("rotated-key") == 200
    await in_thread(new.delete)
    await becomes("rotated-key", 403)


async def test_wrong_keys_are_slowed_but_never_right_ones(door: DoorClient, monkeypatch: pytest.MonkeyPatch):
    held = []

    async def hold(self: object) -> None:
        held.append(self)

    monkeypatch.setattr("robots.door.throttle.Throttle.hold", hold)
    for _ in range(25):
        assert (await door.post(body=line(), key="wrong")).status == 403
    assert len(held) == 5
    assert (await door.post(body=line())).status == 200
    assert len(held) == 5
    other = DoorClient(door.door, address="198.51.100.1")
    assert (await other.post(body=line(), key="wrong")).status == 403
    assert len(held) == 5


# -- what people see ---------------------------------------------------------------------------------------------------


async def test_last_bodies_are_kept_masked_with_the_reason(door: DoorClient, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    await door.post(body=line(f"我的电话13812345678，{KEY}", robotId=ROBOT_ID, fileBase64="iVBO" * 100, key="geheim99"))
    await door.post(body=b"hello")
    await door.post(body=line(), key="wrong-key-1")
    rows = await until(lambda: len(found := raw_bodies.latest()) == 3 and found)
    forbidden, bad, good = rows
    assert (good.kind, good.status, good.robot) == ("message", 200, "demo")
    assert "138****5678" in good.body
    assert "如何" not in forbidden.body
    for secret in ("13812345678", KEY, ROBOT_ID, "geheim99", "iVBOiVBOiVBO"):
        assert secret not in good.body
    assert (bad.status, bad.reason, bad.body) == (400, "body: not JSON: JSONDecodeError", "hello")
    assert (forbidden.status, forbidden.reason, forbidden.robot, forbidden.body) == (403, "robot_or_key", "", "")
    logged = caplog.text
    assert "robot_or_key" in logged
    for secret in (KEY, ROBOT_ID, "wrong-key-1"):
        assert secret not in logged


async def test_only_the_last_200_bodies_are_kept(door: DoorClient):
    for number in range(205):
        await door.post(body=line(f"第{number}句"))
    rows = await until(lambda: len(found := raw_bodies.latest()) == 200 and found)
    assert "第204句" in rows[0].body
    long = line("长" * 3000)
    await door.post(body=long)
    newest = await until(lambda: (found := raw_bodies.latest()[0]).size > 5000 and found)
    assert len(newest.body) <= raw_bodies.LIMIT + 1
