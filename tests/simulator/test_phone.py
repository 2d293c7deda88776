"""The phone: order, pace, the client's duplicate filter, and the commands that it knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from robots.simulator.testing import SimulatorClient, running_simulator
from tests.simulator.door import ROBOT, ROOM, Door, command, send
from worktool_ai.lib.loopback import LoopbackApp, Request, Response, running


def robot_texts(sim: SimulatorClient, room: str = ROOM) -> list[str]:
    return [line["text"] for line in sim.transcript(room) if line["from"] == "robot"]


def pause(sim: SimulatorClient) -> None:
    """Hold the phone, so that commands queue up."""
    sim.faults({"kind": "offline"})


def test_commands_run_in_order_one_at_a_time() -> None:
    with running_simulator(pace_s=0.05) as sim:
        send(sim, command("一"), command("二", "张三"))
        send(sim, command("三"))
        sim.wait_for(lambda: len(robot_texts(sim)) == 2)
        runs = sim.call("GET", "/robot/rawMsg/list", ROBOT, sort="run_time,asc")["data"]
        executed = [execution["at"] for entry in sim.sends() for execution in entry["executions"]]
    assert [json.loads(row["rawMsg"])["receivedContent"] for row in runs] == ["一", "二", "三"]
    times = [datetime.fromisoformat(at) for at in executed]
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    # one millisecond is what the ledger's times are rounded to
    assert min(gaps) >= 0.049


def test_one_text_to_several_chats(sim: SimulatorClient) -> None:
    send(sim, command("通知", ROOM, "张三"))
    assert sim.wait_for_answer("张三")["text"] == "通知"
    assert robot_texts(sim) == ["通知"]


def test_equal_commands_inside_one_request_collapse(sim: SimulatorClient, door: Door) -> None:
    send(sim, command("好的"), command("好的"), command("再见"))
    sim.wait_for(lambda: len(door.bodies("result")) == 2)
    assert robot_texts(sim) == ["好的", "再见"]


def test_an_equal_command_removes_the_one_that_still_waits(sim: SimulatorClient, door: Door) -> None:
    pause(sim)
    first, second = send(sim, command("好的"))["data"], send(sim, command("好的"))["data"]
    sim.faults()
    sim.wait_for(lambda: door.bodies("result"))
    assert robot_texts(sim) == ["好的"]
    assert [body["messageId"] for body in door.bodies("result")] == [second]
    executed = {entry["messageId"]: len(entry["executions"]) for entry in sim.sends()}
    assert executed == {first: 0, second: 1}


def test_equal_commands_after_execution_both_run(sim: SimulatorClient) -> None:
    send(sim, command("好的"))
    sim.wait_for(lambda: len(robot_texts(sim)) == 1)
    send(sim, command("好的"))
    sim.wait_for(lambda: len(robot_texts(sim)) == 2)


@pytest.fixture
def file_server() -> Iterator[str]:
    """Serves ``/<content type>/<size>``: so many bytes, called that type."""

    async def serve(request: Request) -> Response:
        content_type, _, size = request.path.strip("/").rpartition("/")
        return Response(200, b"x" * int(size), content_type) if size.isdigit() else Response(404)

    with running(LoopbackApp(serve)) as url:
        yield url


def push(url: str, **fields: Any) -> dict[str, Any]:
    return {"type": 218, "titleList": [ROOM], "objectName": "a.png", "fileUrl": url, "fileType": "image", **fields}


def test_a_file_is_fetched_and_shown(sim: SimulatorClient, file_server: str) -> None:
    url = f"{file_server}/image/png/10"
    send(sim, push(url, extraText="请看图"))
    line = sim.wait_for_answer(ROOM)
    assert (line["text"], line["fileUrl"], line["textType"]) == ("请看图", url, 2)


def test_what_cannot_be_fetched_is_not_shown(sim: SimulatorClient, door: Door, file_server: str) -> None:
    """Gone, too large, empty, another type than it is called, WebP, without an ending, elsewhere, nobody there."""
    ok = f"{file_server}/image/png/10"
    bad = [
        push(f"{file_server}/image/png/none"),
        push(f"{file_server}/image/png/{10 * 1024 * 1024 + 1}"),
        push(f"{file_server}/image/png/0"),
        push(f"{file_server}/application/pdf/10"),
        push(f"{file_server}/image/webp/10"),
        push(ok, objectName="a"),
        push("http://192.0.2.1/a.png"),
        push("http://127.0.0.1:9/a.png"),
    ]
    for command_ in bad:
        send(sim, command_)
    results = sim.wait_for(lambda: len(found := door.bodies("result")) == len(bad) and found)
    assert {(result["errorCode"], tuple(result["failList"])) for result in results} == {(201107, (ROOM,))}
    assert sim.transcript(ROOM) == []


def test_a_recalled_line_is_gone_and_leaves_a_notice(sim: SimulatorClient, door: Door) -> None:
    send(sim, command("说错了"))
    send(sim, {"type": 226, "titleList": [ROOM], "originalContent": "说错了", "textType": 1})
    sim.wait_for(lambda: len(door.bodies("result")) == 2)
    assert [(line["from"], line["text"]) for line in sim.transcript(ROOM)] == [("system", "机器人撤回了一条消息")]
    send(sim, {"type": 226, "titleList": [ROOM], "originalContent": "没说过", "textType": 1})
    sim.wait_for(lambda: len(door.bodies("result")) == 3)
    assert door.bodies("result")[2]["errorCode"] == 201104


def cleared(sim: SimulatorClient, door: Door, clear: dict[str, Any]) -> int:
    """Send a clearing command while the phone is held; returns its error code."""
    send(sim, clear)
    sim.wait_for(lambda: door.bodies("result"))
    sim.faults()
    return int(door.bodies("result")[0]["errorCode"])


def test_the_whole_queue_is_cleared(sim: SimulatorClient, door: Door) -> None:
    pause(sim)
    send(sim, command("一"), command("二"))
    assert cleared(sim, door, {"type": 304}) == 0
    send(sim, command("三"))
    assert sim.wait_for_answer(ROOM)["text"] == "三"


def test_one_waiting_command_is_cleared(sim: SimulatorClient, door: Door) -> None:
    pause(sim)
    unwanted = send(sim, command("一"))["data"]
    send(sim, command("二"))
    assert cleared(sim, door, {"type": 305, "originalContent": unwanted}) == 0
    assert sim.wait_for_answer(ROOM)["text"] == "二"


def test_clearing_what_already_ran_finds_no_target(sim: SimulatorClient, door: Door) -> None:
    ran = send(sim, command("一"))["data"]
    sim.wait_for(lambda: door.bodies("result"))
    door.posts.clear()
    assert cleared(sim, door, {"type": 305, "originalContent": ran}) == 201104


def test_where_a_remark_is_set_only_the_remark_works(sim: SimulatorClient, door: Door) -> None:
    sim.say(ROBOT, "林小夏", "在吗", "春季班答疑", groupRemark="A03春季答疑")
    send(sim, command("在的", "A03春季答疑"))
    assert sim.wait_for_answer("春季班答疑")["text"] == "在的"
    send(sim, command("听见吗", "春季班答疑"))
    sim.wait_for(lambda: len(door.bodies("result")) == 2)
    assert door.bodies("result")[1]["errorCode"] == 201101
    assert robot_texts(sim, "春季班答疑") == ["在的"]


def test_other_commands_are_acknowledged(sim: SimulatorClient, door: Door) -> None:
    send(sim, {"type": 213, "friend": {"phone": "13800000000"}})
    sim.wait_for(lambda: door.bodies("result"))
    assert door.bodies("result")[0]["errorCode"] == 0


def test_robots_have_phones_of_their_own(sim: SimulatorClient) -> None:
    sim.faults({"kind": "offline", "robotId": ROBOT})
    send(sim, command("慢"))
    body = {"socketType": 2, "list": [command("快")]}
    sim.call("POST", "/wework/sendRawMessage", "another", body)
    assert sim.wait_for_answer(ROOM)["text"] == "快"
    assert robot_texts(sim) == ["快"]
