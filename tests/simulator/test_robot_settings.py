"""A robot that its owner has set wrong at the platform, and the paths that tell of it."""

from __future__ import annotations

import pytest

from robots.simulator.testing import ControlError, SimulatorClient
from tests.simulator.door import ROBOT, ROOM, Door, command, send


def get(sim: SimulatorClient, path: str, **query: str) -> object:
    return sim.call("GET", f"/robot/robotInfo/{path}", ROBOT, **query)["data"]


def test_without_the_right_key_nothing_works(sim: SimulatorClient) -> None:
    sim.robot(ROBOT, robotKeyCheck=1, robotKey="the-right-key")
    for key in ({}, {"key": "wrong"}):
        assert sim.call("GET", "/robot/robotInfo/get", ROBOT, **key)["code"] == 501012
        assert sim.call("POST", "/wework/sendRawMessage", ROBOT, {"socketType": 2, "list": []}, **key)["code"] == 501012
    assert sim.call("GET", "/robot/robotInfo/get", ROBOT, key="the-right-key")["data"]["robotKeyCheck"] == 1
    assert sim.call("GET", "/robot/robotInfo/callBack/get", ROBOT, robotKey="the-right-key")["code"] == 200
    assert "the-right-key" not in str(sim.control("GET", "robot", robotId=ROBOT))


def test_an_unknown_robot_is_refused(sim: SimulatorClient) -> None:
    sim.robot(ROBOT, isKnown=False)
    assert sim.call("GET", "/robot/robotInfo/get", ROBOT)["code"] == 501011


def test_what_is_switched_off_is_not_posted(sim: SimulatorClient, door: Door) -> None:
    sim.robot(ROBOT, replyAll=0)
    assert not sim.say(ROBOT, "张三", "没有提到", ROOM)["delivered"]
    assert sim.say(ROBOT, "张三", "提到了", ROOM, atMe=True)["delivered"]
    sim.robot(ROBOT, replyAll=1, openCallback=0)
    assert not sim.say(ROBOT, "张三", "回调关着", ROOM)["delivered"]
    assert door.texts() == ["提到了"]


def test_a_wrong_address_is_posted_to_and_fails(sim: SimulatorClient, door: Door) -> None:
    sim.robot(ROBOT, callbackUrl="http://127.0.0.1:9/message", bindings=False)
    said = sim.say(ROBOT, "张三", "有人吗", ROOM)
    assert (said["delivered"], said["status"]) == (False, None)
    assert sim.control("GET", "robot", robotId=ROBOT)["callbacks"] == {"message": "http://127.0.0.1:9/message"}


def test_the_form_of_the_bodies_is_the_robots_own(sim: SimulatorClient, door: Door) -> None:
    sim.robot(ROBOT, callBackRequestType=1)
    assert sim.call("GET", "/robot/robotInfo/get", ROBOT)["data"]["callBackRequestType"] == 1
    sim.say(ROBOT, "张三", "表单", ROOM)
    assert door.posts[-1].content_type == "application/x-www-form-urlencoded"


def test_licence_version_and_times_on_line(sim: SimulatorClient) -> None:
    sim.robot(ROBOT, licenceDays=-1)
    detail = get(sim, "get-detail")
    assert isinstance(detail, dict)
    assert (detail["robotType"], detail["corporation"]) == (4, "演示企业")
    assert get(sim, "version") == "2.8.1"
    (row,) = sim.call("GET", "/robot/robotInfo/onlineInfos", ROBOT)["data"]
    assert row["offline"] is None
    sim.faults({"kind": "offline"})
    sim.faults()
    newest, oldest = sim.call("GET", "/robot/robotInfo/onlineInfos", ROBOT)["data"]
    assert oldest["offline"]
    assert newest["offline"] is None
    assert sim.call("GET", "/robot/robotInfo/onlineInfos", ROBOT, date="2001-01-01")["data"] == []


def test_the_members_of_a_group_come_as_a_result(sim: SimulatorClient, door: Door) -> None:
    sim.say(ROBOT, "张三", "在吗", ROOM)
    send(sim, {"type": 512, "groupName": ROOM})
    send(sim, {"type": 512, "groupName": "没有这个群"})
    found, missing = sim.wait_for(lambda: len(door.bodies("result")) == 2 and door.bodies("result"))
    assert (found["errorCode"], found["groupName"], found["successList"]) == (0, ROOM, ["张三", "机器人"])
    assert missing["errorCode"] == 201101


def test_bad_settings_are_refused(sim: SimulatorClient) -> None:
    for key, value in (("replyAll", 2), ("colour", 1), ("robotKey", 7), ("bindings", True)):
        with pytest.raises(ControlError, match=rf'400.*"field":"{key}'):
            sim.robot(ROBOT, **{key: value})
    with pytest.raises(ControlError, match=r'400.*"field":"robotId"'):
        sim.control("GET", "robot")
    assert send(sim, command("还在")).get("code") == 200
