"""The control interface: who may use it, what it refuses, and what it shows."""

from __future__ import annotations

import json

import pytest
import urllib3

from robots.simulator.testing import ControlError, SimulatorClient, running_simulator
from tests.simulator.door import ROBOT, ROOM, Door, command, send
from worktool_ai.lib.loopback import json_response


def test_health_needs_no_token_everything_else_does(sim: SimulatorClient) -> None:
    assert urllib3.request("GET", f"{sim.url}/sim/health").status == 200
    for path in ("say", "transcript", "ledger", "dialect", "faults", "overview"):
        assert urllib3.request("GET", f"{sim.url}/sim/{path}").status == 401
    wrong = {"Authorization": "Bearer ÿ"}
    assert urllib3.request("GET", f"{sim.url}/sim/ledger", headers=wrong).status == 401


def test_callers_that_address_another_host_are_refused(sim: SimulatorClient) -> None:
    answer = urllib3.request("GET", f"{sim.url}/sim/health", headers={"Host": "evil.example"})
    assert answer.status == 403


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "say", {"robotId": ROBOT, "sender": "张三"}, "text"),
        ("POST", "say", {"robotId": ROBOT, "sender": "张三", "text": "x", "colour": 1}, "colour"),
        ("POST", "say", {"robotId": ROBOT, "sender": "张三", "text": "x", "textType": "1"}, "textType"),
        ("PUT", "dialect", {"code": 201}, "code"),
        ("PUT", "dialect", {"atMe": "yes"}, "atMe"),
        ("POST", "faults", {"faults": [{"kind": "result_loss", "probability": 2}]}, "faults.0.probability"),
        ("POST", "faults", {"faults": [{"kind": "meteor"}]}, "faults.0.kind"),
        ("POST", "faults", {}, "faults"),
    ],
)
def test_bad_input_is_refused_and_names_the_field(
    sim: SimulatorClient, method: str, path: str, body: object, field: str
) -> None:
    before = sim.control("GET", "faults"), sim.control("GET", "dialect")
    with pytest.raises(ControlError, match=rf'400.*"field":"{field}"'):
        sim.control(method, path, body)
    assert (sim.control("GET", "faults"), sim.control("GET", "dialect")) == before


def test_a_body_that_is_no_json_is_refused(sim: SimulatorClient) -> None:
    headers = {"Authorization": f"Bearer {sim.token}"}
    assert urllib3.request("POST", f"{sim.url}/sim/say", body=b"{", headers=headers).status == 400


def test_wrong_path_and_method(sim: SimulatorClient) -> None:
    with pytest.raises(ControlError, match="404"):
        sim.control("GET", "moon")
    with pytest.raises(ControlError, match="405"):
        sim.control("POST", "ledger")
    with pytest.raises(ControlError, match=r'400.*"field":"since"'):
        sim.control("GET", "ledger", since="soon")


def test_say_and_transcript_have_the_shape_of_the_interface(sim: SimulatorClient) -> None:
    said = sim.say(ROBOT, "张三", "如何退款？", ROOM, atMe=True)
    assert said == {
        "id": 1,
        "messageId": said["messageId"],
        "delivered": True,
        "status": 200,
        "ms": said["ms"],
    }
    line = sim.transcript(ROOM)[0]
    assert line == {
        "id": 1,
        "at": line["at"],
        "from": "person",
        "robotId": ROBOT,
        "sender": "张三",
        "text": "如何退款？",
        "textType": 1,
        "atList": ["机器人"],
        "fileUrl": None,
        "messageId": said["messageId"],
    }
    assert line["at"].endswith("+08:00")
    assert sim.transcript(ROOM, since=1) == sim.transcript("没有的群") == []


def test_chinese_is_not_escaped(sim: SimulatorClient) -> None:
    sim.say(ROBOT, "张三", "如何退款？", ROOM)
    headers = {"Authorization": f"Bearer {sim.token}"}
    answer = urllib3.request("GET", f"{sim.url}/sim/transcript", fields={"room": ROOM}, headers=headers)
    assert "如何退款？" in answer.data.decode()


def test_the_ledger_shows_a_send_from_request_to_result(sim: SimulatorClient) -> None:
    since = sim.ledger()[-1]["seq"]
    message_id = send(sim, command("您好", atList=["张三"]))["data"]
    entry = sim.wait_for(lambda: next((row for row in sim.sends(since) if row["results"]), None))
    execution, result = entry["executions"][0], entry["results"][0]
    assert entry == {
        "seq": since + 1,
        "at": entry["at"],
        "robotId": ROBOT,
        "method": "POST",
        "path": "/wework/sendRawMessage",
        "status": 200,
        "code": 200,
        "messageId": message_id,
        "commands": [{"type": 203, "titleList": [ROOM], "receivedContent": "您好", "atList": ["张三"]}],
        "executions": [{"index": 0, "at": execution["at"], "errorCode": 0, "successList": [ROOM], "failList": []}],
        "results": [{"at": result["at"], "status": 200}],
    }


def test_the_ledger_shows_queries_and_refused_requests_too() -> None:
    with running_simulator(limit=3) as sim:
        sim.call("GET", "/robot/robotInfo/online", ROBOT)
        send(sim, {"type": "203"})
        sim.call("GET", "/robot/nowhere", ROBOT)
        send(sim, command("您好"))
        sim.control("GET", "ledger")
        rows = sim.ledger()
    assert [(row["path"].split("/")[-1], row["status"], row["code"]) for row in rows] == [
        ("online", 200, 200),
        ("sendRawMessage", 200, 101011),
        ("nowhere", 404, 404),
        ("sendRawMessage", 429, 429),
    ]
    assert rows[3]["messageId"] is None
    assert rows[3]["commands"][0]["receivedContent"] == "您好"


def test_the_limit_lets_requests_through_again_after_its_window() -> None:
    with running_simulator(limit=1, window_s=0.3) as sim:

        def online() -> int:
            return int(sim.call("GET", "/robot/robotInfo/online", ROBOT)["code"])

        assert [online(), online()] == [200, 429]
        sim.wait_for(lambda: online() == 200)


def test_an_unknown_robot_has_nobody_to_call(sim: SimulatorClient, door: Door) -> None:
    said = sim.say("somebody", "张三", "在吗")
    assert (said["delivered"], said["status"]) == (False, None)
    assert door.posts == []
    assert sim.transcript("张三")[0]["text"] == "在吗"


def test_a_refusing_door_is_not_a_delivery_and_its_message_lands_in_the_chat(sim: SimulatorClient, door: Door) -> None:
    door.answer = json_response(200, {"code": -1, "message": "内部错误"})
    assert sim.say(ROBOT, "张三", "在吗", ROOM)["delivered"] is False
    assert sim.wait_for_answer(ROOM)["text"] == "内部错误"
    door.answer = json_response(503, {"code": 503, "message": ""})
    said = sim.say(ROBOT, "张三", "在吗？", ROOM)
    assert (said["delivered"], said["status"]) == (False, 503)
    assert [line["from"] for line in sim.transcript(ROOM)] == ["person", "robot", "person"]


def test_a_door_that_takes_longer_than_three_seconds_is_given_up(sim: SimulatorClient, door: Door) -> None:
    door.wait_s = 4
    said = sim.say(ROBOT, "张三", "在吗", ROOM)
    assert (said["delivered"], said["status"]) == (False, None)
    assert said["ms"] >= 2900


def test_overview_lists_robots_chats_and_fault_kinds(sim: SimulatorClient) -> None:
    sim.say(ROBOT, "张三", "在吗", ROOM)
    sim.say(ROBOT, "李四", "你好")
    overview = sim.control("GET", "overview")
    assert [(chat["chat"], chat["kind"]) for chat in overview["chats"]] == [
        ("李四", "private"),
        (ROOM, "room"),
    ]
    assert overview["robots"][0] == {
        "robotId": ROBOT,
        "name": "机器人",
        "online": True,
        "connected": True,
        "waiting": 0,
    }
    assert {
        "hold_before_accept",
        "hold_after_accept",
        "timeout_before",
        "timeout_after",
        "result_loss",
        "callback_delay",
        "callback_loss",
        "callback_duplicate",
        "callback_reorder",
        "http_status",
        "partial",
        "offline",
        "slow_phone",
        "execute_twice",
        "result_duplicate",
        "result_late",
        "result_reorder",
    } == {row["kind"] for row in overview["faultKinds"]}


def test_large_bodies_pass(sim: SimulatorClient, door: Door) -> None:
    picture = "A" * 3_000_000
    assert sim.say(ROBOT, "张三", "", ROOM, textType=2, fileBase64=picture)["delivered"]
    assert len(door.bodies("message")[0]["fileBase64"]) == len(picture)


def test_the_chat_page_is_served_without_a_token_and_allows_no_inline_script(sim: SimulatorClient) -> None:
    page = urllib3.request("GET", f"{sim.url}/")
    assert "WorkTool 模拟器" in page.data.decode()
    assert "unsafe" not in page.headers["content-security-policy"]
    for name, kind in (("chat.js", "text/javascript"), ("chat.css", "text/css")):
        answer = urllib3.request("GET", f"{sim.url}/page/{name}")
        assert answer.headers["content-type"].startswith(kind)
    assert urllib3.request("GET", f"{sim.url}/page/../server.py").status == 404
    assert json.loads(urllib3.request("GET", f"{sim.url}/page/server.py").data)["code"] == 404
