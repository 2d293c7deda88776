"""The platform's endpoints: configuration, reply policy, queries."""

from __future__ import annotations

from typing import Any

import pytest

from robots.simulator.testing import SimulatorClient, running_simulator
from tests.simulator.door import ROBOT, ROOM, Door, command, send
from worktool_ai.lib.loopback import Response, json_response


def update(sim: SimulatorClient, **body: Any) -> Any:
    return sim.call("POST", "/robot/robotInfo/update", ROBOT, body)["code"]


def bind(sim: SimulatorClient, **body: Any) -> Any:
    return sim.call("POST", "/robot/robotInfo/callBack/bind", ROBOT, body)["code"]


def bound(sim: SimulatorClient) -> dict[int, str]:
    rows = sim.call("GET", "/robot/robotInfo/callBack/get", ROBOT)["data"]
    return {row["type"]: row["callBackUrl"] for row in rows}


def test_bindings_can_be_read_and_deleted(sim: SimulatorClient, door: Door) -> None:
    assert bound(sim)[1] == f"{door.url}/result"
    assert sorted(bound(sim)) == [0, 1, 5, 6, 11]
    sim.call("POST", "/robot/robotInfo/callBack/deleteByType", ROBOT, {"type": 1})
    assert sorted(bound(sim)) == [0, 5, 6, 11]


@pytest.mark.parametrize(
    "answer",
    [
        Response(200, b"ok", "text/plain"),
        json_response(302, {}),
        json_response(500, {"code": 0}),
    ],
    ids=["not json", "redirect", "error"],
)
def test_an_address_that_does_not_answer_json_200_cannot_be_bound(
    sim: SimulatorClient, door: Door, answer: Response
) -> None:
    door.answer = answer
    assert bind(sim, type=1, callBackUrl=f"{door.url}/other") == 101012
    assert bound(sim)[1] == f"{door.url}/result"
    assert update(sim, callbackUrl=f"{door.url}/other") == 101012


@pytest.mark.parametrize("url", ["http://example.com/x", "ftp://127.0.0.1/x", "http://[broken", "", 5])
def test_only_addresses_of_this_machine_are_called(sim: SimulatorClient, url: Any) -> None:
    assert bind(sim, type=1, callBackUrl=url) in (101011, 101012)


@pytest.mark.parametrize("type_", [11, 3, "x", None])
def test_only_known_types_are_bound(sim: SimulatorClient, door: Door, type_: Any) -> None:
    assert bind(sim, type=type_, callBackUrl=f"{door.url}/x") in (101011, 101012)


@pytest.mark.parametrize(
    ("policy", "heard"),
    [
        ({"replyAll": 1}, ["private", "mention", "plain"]),
        ({"replyAll": "0"}, ["private", "mention"]),
        ({"replyAll": -1}, []),
        ({"openCallback": 0}, []),
        ({"callbackUrl": ""}, []),
    ],
)
def test_reply_policy(sim: SimulatorClient, door: Door, policy: dict[str, Any], heard: list[str]) -> None:
    assert update(sim, **policy) == 200
    delivered = [
        sim.say(ROBOT, "李四", "private")["delivered"],
        sim.say(ROBOT, "张三", "mention", ROOM, atMe=True)["delivered"],
        sim.say(ROBOT, "张三", "plain", ROOM)["delivered"],
    ]
    assert door.texts() == heard
    assert sum(delivered) == len(heard)


def test_the_mention_is_cut_off_the_spoken_text(sim: SimulatorClient, door: Door) -> None:
    sim.say(ROBOT, "张三", "如何退款？", ROOM, atMe=True)
    sim.say(ROBOT, "张三", "@机器人 如何退款？", ROOM, atMe=True)
    for body in door.bodies("message"):
        assert (body["spoken"], body["rawSpoken"]) == ("如何退款？", "@机器人 如何退款？")


@pytest.mark.parametrize(
    "body",
    [
        {"list": [command("x")]},
        {"socketType": 2},
        {"socketType": 2, "list": []},
        {"socketType": 2, "list": [command("x")] * 101},
        {"socketType": 2, "list": [{"titleList": [ROOM]}]},
        {"socketType": 2, "list": [{"type": 203, "titleList": [], "receivedContent": "x"}]},
        {"socketType": 2, "list": [{"type": 203, "titleList": [ROOM]}]},
        {"socketType": 2, "list": ["x"]},
        [],
    ],
)
def test_sends_in_a_bad_format_are_refused(sim: SimulatorClient, body: Any) -> None:
    assert sim.call("POST", "/wework/sendRawMessage", ROBOT, body)["code"] == 101011
    assert sim.transcript(ROOM) == []


def test_calls_need_a_robot_id_and_the_right_method(sim: SimulatorClient) -> None:
    assert sim.call("GET", "/robot/robotInfo/get", "")["code"] == 101011
    assert sim.call("GET", "/wework/sendRawMessage", ROBOT)["code"] == 405


def run_three(sim: SimulatorClient, door: Door) -> list[str]:
    ids = [send(sim, command(text))["data"] for text in ("甲", "乙", "丙")]
    sim.wait_for(lambda: len(door.bodies("result")) == 3)
    return ids


def test_what_ran_is_a_plain_array_that_can_be_filtered(sim: SimulatorClient, door: Door) -> None:
    ids = run_three(sim, door)

    def ran(**query: str | int) -> list[str]:
        rows = sim.call("GET", "/robot/rawMsg/list", ROBOT, **query)["data"]
        return [row["messageId"] for row in rows]

    assert ran() == ids[::-1]
    assert ran(sort="run_time,asc", size=2) == ids[:2]
    assert ran(sort="run_time,desc", size=2, page=2) == ids[:1]
    assert ran(messageId=ids[1]) == [ids[1]]
    assert ran(type=218) == []
    assert ran(endTime="2001-01-01 00:00:00") == []
    assert len(ran(startTime="2001-01-01 00:00:00", endTime="2101-01-01 00:00:00")) == 3
    assert sim.call("GET", "/robot/rawMsg/list", ROBOT, startTime="yesterday")["code"] == 101011
    assert sim.call("GET", "/robot/rawMsg/list", ROBOT, page="x")["code"] == 101011
    assert sim.call("GET", "/robot/rawMsg/list", "another")["data"] == []


def test_what_was_sent_comes_in_pages(sim: SimulatorClient, door: Door) -> None:
    ids = run_three(sim, door)
    page = sim.call("GET", "/wework/listRawMessage", ROBOT, size=2)["data"]
    assert (page["total"], page["totalPage"], page["pageNum"]) == (3, 2, 1)
    assert [row["messageId"] for row in page["list"]] == [ids[2], ids[1]]
    one = sim.call("GET", "/wework/listRawMessage", ROBOT, messageId=ids[0])["data"]
    assert '"甲"' in one["list"][0]["body"]


def test_the_callback_log_holds_lines_that_nobody_took(sim: SimulatorClient, door: Door) -> None:
    sim.faults({"kind": "callback_loss", "count": 1})
    assert sim.say(ROBOT, "张三", "丢了", ROOM)["delivered"] is False
    sim.say(ROBOT, "李四", "到了", ROOM)
    assert door.texts() == ["到了"]
    log = sim.call("GET", "/robot/qaLog/list", ROBOT, sort="start_time,asc")["data"]["list"]
    assert [(row["question"], row["answer"]) for row in log] == [("丢了", ""), ("到了", "success")]
    named = sim.call("GET", "/robot/qaLog/list", ROBOT, name="李四")["data"]["list"]
    assert [row["question"] for row in named] == ["到了"]


def test_groups_are_those_in_which_the_robot_was_spoken_to(sim: SimulatorClient) -> None:
    sim.say(ROBOT, "张三", "在吗", ROOM)
    sim.say(ROBOT, "李四", "在吗", "春季班答疑")
    sim.say(ROBOT, "王五", "在吗")
    rows = sim.call("GET", "/robot/wework/group/list", ROBOT)["data"]["list"]
    assert {row["groupName"] for row in rows} == {ROOM, "春季班答疑"}
    one = sim.call("GET", "/robot/wework/group/list", ROBOT, groupName="春季")["data"]
    assert one["total"] == 1


def test_a_robot_can_be_connected_from_the_start(door: Door) -> None:
    with running_simulator(robots={ROBOT: f"{door.url}/{{event}}"}) as sim:
        assert sim.say(ROBOT, "张三", "在吗", ROOM)["delivered"]
        send(sim, command("在的"))
        sim.wait_for(lambda: door.bodies("result"))
        assert sim.call("GET", "/robot/robotInfo/online", ROBOT)["data"] is True
