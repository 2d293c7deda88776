"""The simulator says exactly what the quoted platform says: the same fields, of the same types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from robots.simulator.testing import SimulatorClient, running_simulator
from tests.contract import Sample, groups, sample, samples
from tests.simulator.door import ROBOT, ROOM, Door, command, open_door, send

PNG = sample("message_callbacks", "image").body["fileBase64"]


@pytest.fixture
def door() -> Iterator[Door]:
    with open_door() as door:
        yield door


@pytest.fixture
def sim(door: Door) -> Iterator[SimulatorClient]:
    with running_simulator() as sim:
        door.connect(sim)
        yield sim


def shape(value: Any) -> Any:
    """Reduce a JSON value to its field names and types; every row of a list must have the first one's shape."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        shapes = [shape(item) for item in value]
        assert all(item == shapes[0] for item in shapes)
        return shapes[:1]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def conforms(actual: Any, quoted: Sample) -> None:
    assert shape(actual) == shape(quoted.body), f"{quoted.name}: {quoted.source}"


@pytest.mark.parametrize("group", groups())
def test_every_sample_names_its_source(group: str) -> None:
    assert all(row.source.startswith("worktool-api.md §") for row in samples(group).values())


MESSAGES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("documented", {}, {"room": ROOM, "atMe": True}),
    ("at_me_bool", {"atMe": "bool"}, {"room": ROOM}),
    ("at_me_null", {"atMe": "null"}, {"room": ROOM}),
    ("without_message_id", {"messageId": "absent"}, {"room": ROOM}),
    ("empty_message_id", {}, {"room": ROOM, "messageId": ""}),
    ("private", {}, {}),
    ("image", {}, {"room": ROOM, "textType": 2, "fileBase64": PNG}),
    ("unknown_text_type", {}, {"room": ROOM, "textType": 99}),
    ("form", {"body": "form"}, {"room": ROOM}),
]


@pytest.mark.parametrize(("name", "dialect", "said"), MESSAGES, ids=[row[0] for row in MESSAGES])
def test_message_callbacks(
    sim: SimulatorClient, door: Door, name: str, dialect: dict[str, Any], said: dict[str, Any]
) -> None:
    sim.dialect(**dialect)
    assert sim.say(ROBOT, "张三", "如何退款？", **said)["delivered"]
    quoted = sample("message_callbacks", name)
    body = door.bodies("message")[0]
    if quoted.content_type == "application/x-www-form-urlencoded":
        # parse_qsl of the door drops empty values, as the quoted sample must be read too
        quoted = Sample(name, quoted.source, {key: value for key, value in quoted.body.items() if value})
    conforms(body, quoted)
    assert door.posts[0].content_type == sample("message_callbacks", name).content_type


def test_the_configuration_test_is_posted_when_a_message_callback_is_set(sim: SimulatorClient, door: Door) -> None:
    sim.call("POST", "/robot/robotInfo/update", ROBOT, {"callbackUrl": f"{door.url}/message"})
    quoted = sample("message_callbacks", "configuration_test")
    conforms(door.bodies("message")[0], quoted)
    assert door.bodies("message")[0]["receivedName"] == quoted.body["receivedName"]


def result_after(sim: SimulatorClient, door: Door, *commands: dict[str, Any]) -> list[Any]:
    send(sim, *commands)
    sim.wait_for(lambda: len(door.bodies("result")) == len(commands))
    return door.bodies("result")


def test_result_of_a_success(sim: SimulatorClient, door: Door) -> None:
    conforms(result_after(sim, door, command("您好"))[0], sample("result_callbacks", "done"))


def test_result_with_a_fail_list_and_error_code_0(sim: SimulatorClient, door: Door) -> None:
    sim.dialect(failListOnSuccess=True)
    body = result_after(sim, door, command("您好", ROOM, "张三"))[0]
    conforms(body, sample("result_callbacks", "fail_list_with_error_code_0"))
    assert (body["errorCode"], body["successList"], body["failList"]) == (0, [ROOM], ["张三"])


def test_result_of_a_partial_failure(sim: SimulatorClient, door: Door) -> None:
    sim.faults({"kind": "partial"})
    body = result_after(sim, door, command("您好", ROOM, "张三"))[0]
    conforms(body, sample("result_callbacks", "partial"))
    assert body["errorCode"] == 201102


def test_result_of_a_chat_that_is_not_found(sim: SimulatorClient, door: Door) -> None:
    sim.say(ROBOT, "林小夏", "在吗", "春季班答疑", groupRemark="A03春季答疑")
    body = result_after(sim, door, command("您好", "春季班答疑"))[0]
    quoted = sample("result_callbacks", "failed")
    assert set(body) == set(quoted.body)
    assert (body["errorCode"], body["failList"]) == (quoted.body["errorCode"], ["春季班答疑"])


def test_commands_of_one_request_share_their_message_id(sim: SimulatorClient, door: Door) -> None:
    bodies = result_after(sim, door, command("第一句"), command("第二句"))
    for body, name in zip(bodies, ("shared_message_id_1", "shared_message_id_2"), strict=True):
        conforms(body, sample("result_callbacks", name))
    assert len({body["messageId"] for body in bodies}) == 1


def test_the_other_callbacks(sim: SimulatorClient, door: Door) -> None:
    send(sim, {"type": 206, "groupName": "春季班答疑", "selectList": ["林小夏"]})
    sim.wait_for(lambda: door.bodies("qrcode"))
    sim.faults({"kind": "offline"})
    sim.wait_for(lambda: door.bodies("offline"))
    sim.faults()
    sim.wait_for(lambda: door.bodies("online"))
    for name, event in (("qr_code", "qrcode"), ("offline", "offline"), ("online", "online")):
        conforms(door.bodies(event)[0], sample("other_callbacks", name))
    sim.call("POST", "/robot/robotInfo/callBack/bind", ROBOT, {"type": 5, "callBackUrl": f"{door.url}/probe"})
    conforms(door.bodies("probe")[0], sample("other_callbacks", "bind_probe"))


def test_the_reply_to_a_send(sim: SimulatorClient) -> None:
    request = sample("platform_replies", "send_request").body
    for code in (200, 0):
        sim.dialect(code=code)
        reply = sim.call("POST", "/wework/sendRawMessage", ROBOT, request)
        conforms(reply, sample("platform_replies", f"send_reply_code_{code}"))
        assert reply["code"] == code
        assert reply["data"].isdigit()
        assert len(reply["data"]) == 19


def test_refusals(sim: SimulatorClient) -> None:
    conforms(
        sim.call("POST", "/wework/sendRawMessage", ROBOT, {"list": []}),
        sample("platform_replies", "bad_format"),
    )
    with running_simulator(limit=1) as narrow:
        replies = [narrow.call("GET", "/robot/robotInfo/online", ROBOT) for _ in range(2)]
    conforms(replies[1], sample("platform_replies", "too_many_requests"))


QUERIES = [
    ("robot_info", "/robot/robotInfo/get"),
    ("online", "/robot/robotInfo/online"),
    ("ran", "/robot/rawMsg/list"),
    ("sent", "/wework/listRawMessage"),
    ("callback_log", "/robot/qaLog/list"),
    ("groups", "/robot/wework/group/list"),
]


@pytest.mark.parametrize(("name", "path"), QUERIES)
def test_queries(sim: SimulatorClient, door: Door, name: str, path: str) -> None:
    sim.say(ROBOT, "张三", "如何退款？", ROOM)
    result_after(sim, door, command("您好"))
    conforms(sim.call("GET", path, ROBOT), sample("platform_replies", name))


def test_bindings(sim: SimulatorClient) -> None:
    for type_ in (0, 5, 6, 11):
        sim.call("POST", "/robot/robotInfo/callBack/deleteByType", ROBOT, {"type": type_})
    reply = sim.call("GET", "/robot/robotInfo/callBack/get", ROBOT)
    conforms(reply, sample("platform_replies", "bindings"))


def test_raw_message_holds_the_command_and_its_message_id(sim: SimulatorClient, door: Door) -> None:
    body = result_after(sim, door, command("您好", atList=["张三"]))[0]
    assert json.loads(body["rawMsg"]) == {**command("您好", atList=["张三"]), "messageId": body["messageId"]}
