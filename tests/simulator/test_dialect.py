"""The dialects: one reading of the platform's conflicting sources each."""

from __future__ import annotations

from typing import Any

import pytest

from robots.simulator.testing import SimulatorClient
from tests.simulator.door import ROBOT, ROOM, Door, command, send

DEFAULT = {
    "code": 200,
    "atMe": "string",
    "messageId": "unique",
    "body": "json",
    "failListOnSuccess": False,
    "resultFirst": False,
}


def test_what_is_left_out_of_a_put_has_its_default(sim: SimulatorClient) -> None:
    assert sim.control("GET", "dialect") == DEFAULT
    assert sim.dialect(code=0, body="form") == {**DEFAULT, "code": 0, "body": "form"}
    assert sim.dialect(atMe="bool") == {**DEFAULT, "atMe": "bool"}


@pytest.mark.parametrize(
    ("dialect", "mentioned", "plain"),
    [("string", "true", "false"), ("bool", True, False), ("null", None, None)],
)
def test_at_me(sim: SimulatorClient, door: Door, dialect: str, mentioned: Any, plain: Any) -> None:
    sim.dialect(atMe=dialect)
    sim.say(ROBOT, "张三", "一", ROOM, atMe=True)
    sim.say(ROBOT, "张三", "二", ROOM)
    assert [body["atMe"] for body in door.bodies("message")] == [mentioned, plain]


def ids(door: Door) -> list[Any]:
    return [body.get("messageId", "absent") for body in door.bodies("message")]


def test_unique_message_ids_rise(sim: SimulatorClient, door: Door) -> None:
    for text in ("好", "好"):
        sim.say(ROBOT, "张三", text, ROOM)
    first, second = ids(door)
    assert int(first) < int(second)


def test_absent_message_id(sim: SimulatorClient, door: Door) -> None:
    sim.dialect(messageId="absent")
    assert sim.say(ROBOT, "张三", "一", ROOM)["messageId"] is None
    assert ids(door) == ["absent"]


def test_late_message_id_comes_with_a_second_copy(sim: SimulatorClient, door: Door) -> None:
    sim.dialect(messageId="late")
    said = sim.say(ROBOT, "张三", "一", ROOM)
    assert ids(door) == ["absent"]
    sim.wait_for(lambda: len(door.posts) == 2)
    assert ids(door) == ["absent", said["messageId"]]
    assert door.texts() == ["一", "一"]


def test_shared_message_id_holds_for_different_lines_only(sim: SimulatorClient, door: Door) -> None:
    sim.dialect(messageId="shared")
    for text in ("一", "二", "一"):
        sim.say(ROBOT, "张三", text, ROOM)
    first, second, again = ids(door)
    assert first == second != again


@pytest.mark.parametrize("chosen", ["77", "", None])
def test_a_chosen_message_id_wins_over_the_dialect(sim: SimulatorClient, door: Door, chosen: str | None) -> None:
    sim.dialect(messageId="absent")
    assert sim.say(ROBOT, "张三", "一", ROOM, messageId=chosen)["messageId"] == chosen
    assert ids(door) == [chosen]


def test_form_bodies_are_all_text_and_leave_null_out(sim: SimulatorClient, door: Door) -> None:
    sim.dialect(body="form", atMe="null")
    assert sim.say(ROBOT, "张三", "100% & 更多", ROOM)["delivered"]
    body = door.bodies("message")[0]
    assert (body["spoken"], body["roomType"]) == ("100% & 更多", "1")
    assert "atMe" not in body
    assert sim.call("GET", "/robot/robotInfo/get", ROBOT)["data"]["callBackRequestType"] == 1


def test_fail_list_on_success_is_no_failure(sim: SimulatorClient, door: Door) -> None:
    sim.dialect(failListOnSuccess=True)
    send(sim, command("您好"))
    sim.wait_for(lambda: door.bodies("result"))
    body = door.bodies("result")[0]
    assert (body["errorCode"], body["failList"]) == (0, [ROOM])
    assert sim.wait_for_answer(ROOM)["text"] == "您好"
    assert sim.call("GET", "/robot/rawMsg/list", ROBOT)["data"][0]["failList"] == f'["{ROOM}"]'


def test_result_first(sim: SimulatorClient, door: Door) -> None:
    sim.dialect(resultFirst=True)
    door.wait_s = 0.2
    message_id = send(sim, command("一"), command("二"))["data"]
    assert [body["messageId"] for body in door.bodies("result")] == [message_id] * 2
