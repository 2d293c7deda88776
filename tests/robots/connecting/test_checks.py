"""What stands in a robot's way is found and named, set right by one click, and asked about sparingly."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.conf import settings as configured
from pytest_django.fixtures import Settings

from robots import services
from robots.client import platform
from robots.connecting import FIXES, CheckState, apply
from robots.connecting.answers import stored
from robots.limiter import limiter
from robots.models import Mode, OnlineChange, Robot, Room, RoomType
from robots.simulator.testing import SimulatorClient
from tests.robots.connecting.conftest import ROBOT_ID, checks
from worktool_ai.accounts.models import AuditEntry

KEY = "key-of-the-robot-1"


def press(robot: Robot, name: str, value: str = "") -> None:
    outcome = apply(FIXES[name], robot, value, "test")
    assert outcome.ok, outcome.text


def asked(simulator: SimulatorClient) -> list[str]:
    return [entry["path"].rpartition("/")[2] for entry in simulator.ledger()]


@pytest.mark.parametrize(
    ("wrong", "key", "fix"),
    [
        ({"openCallback": 0}, "open_callback", "open_callback"),
        ({"replyAll": 0}, "reply_all", "hear_everything"),
        ({"replyAll": -1}, "reply_all", "hear_everything"),
        ({"callbackUrl": "http://127.0.0.1:9/other/message"}, "message_url", "message_url"),
        ({"callbackUrl": ""}, "message_url", "message_url"),
        ({"bindings": False}, "bind_1", "bind_1"),
        ({"bindings": False}, "bind_5", "bind_5"),
        ({"bindings": False, "openCallback": 0}, "bind_6", "connect"),
    ],
)
def test_what_is_wrong_is_found_and_one_click_sets_it_right(
    robot: Robot, simulator: SimulatorClient, door: list[str], wrong: dict[str, Any], key: str, fix: str
) -> None:
    press(robot, "connect")
    assert checks(robot)[key].state == CheckState.OK
    simulator.robot(ROBOT_ID, **wrong)
    press(robot, "look")
    found = checks(robot)[key]
    assert (found.state, found.fixes[:1]) == (CheckState.PROBLEM, (fix if fix != "connect" else key,))
    assert found.seen
    assert found.meaning
    press(robot, fix)
    assert checks(robot)[key].state == CheckState.OK


def test_one_fix_leaves_the_other_settings_alone(robot: Robot, simulator: SimulatorClient, door: list[str]) -> None:
    elsewhere = "http://127.0.0.1:9/other/message"
    simulator.robot(ROBOT_ID, openCallback=0, replyAll=0, callbackUrl=elsewhere)
    press(robot, "hear_everything")
    left = simulator.control("GET", "robot", robotId=ROBOT_ID)
    assert (left["openCallback"], left["replyAll"], left["callbacks"]["message"]) == (0, 1, elsewhere)
    press(robot, "open_callback")
    assert simulator.control("GET", "robot", robotId=ROBOT_ID)["callbacks"]["message"] == elsewhere


@pytest.mark.parametrize("ours", ["", "a-wrong-key"])
def test_a_key_that_the_platform_refuses_is_entered(robot: Robot, simulator: SimulatorClient, ours: str) -> None:
    simulator.robot(ROBOT_ID, robotKeyCheck=1, robotKey=KEY)
    Robot.objects.update(robot_key=ours)
    found = checks(robot)
    assert found["robot_key"].state == CheckState.PROBLEM
    assert found["robot_key"].fixes == ("robot_key",)
    assert found["robot_id"].state == CheckState.UNKNOWN
    press(robot, "robot_key", KEY)
    found = checks(robot)
    assert [found[key].state for key in ("robot_key", "robot_id")] == [CheckState.OK, CheckState.OK]
    entry = AuditEntry.objects.get(action="robot.set_key")
    assert KEY not in f"{entry.before}{entry.after}"


def test_a_key_check_that_is_off_is_a_warning(robot: Robot, simulator: SimulatorClient) -> None:
    assert checks(robot)["robot_key"].state == CheckState.WARNING


def test_an_unknown_robot_id_is_corrected(robot: Robot, simulator: SimulatorClient) -> None:
    simulator.robot(ROBOT_ID, isKnown=False)
    assert checks(robot)["robot_id"].state == CheckState.PROBLEM
    services.create_robot(slug="other", name="别的", robot_id="wt-taken-robot", actor="test")
    assert not apply(FIXES["robot_id"], robot, "wt-taken-robot", "test").ok
    press(robot, "robot_id", "wt-the-right-robot")
    assert checks(robot)["robot_id"].state == CheckState.OK


@pytest.mark.parametrize(
    ("days", "state"),
    [(100, CheckState.OK), (10, CheckState.WARNING), (-1, CheckState.PROBLEM)],
)
def test_the_end_of_the_licence(robot: Robot, simulator: SimulatorClient, days: int, state: CheckState) -> None:
    simulator.robot(ROBOT_ID, licenceDays=days)
    assert checks(robot)["licence"].state == state


def test_names_that_differ_or_cannot_be_found(robot: Robot, simulator: SimulatorClient) -> None:
    Room.objects.create(robot=robot, is_group=True, address="春季 班(一)", name="春季 班(一)", room_type=RoomType(1))
    found = checks(robot)
    assert "机器人" in str(found["own_name"].seen)
    assert found["own_name"].fixes == ("add_alias",)
    assert "春季 班(一)" in str(found["group_names"].seen)
    press(robot, "add_alias")
    assert checks(robot)["own_name"].state == CheckState.OK


def test_the_phone_is_seen_to_go_and_come(robot: Robot, simulator: SimulatorClient) -> None:
    assert checks(robot)["online"].state == CheckState.OK
    simulator.faults({"kind": "offline"})
    press(robot, "look")
    assert checks(robot)["online"].state == CheckState.PROBLEM
    changes = OnlineChange.objects.order_by("at").values_list("is_online", "source")
    assert list(changes) == [(True, "query"), (False, "query")]


def test_a_rotated_key_is_told_to_the_platform_by_the_same_click(
    robot: Robot, simulator: SimulatorClient, door: list[str]
) -> None:
    press(robot, "connect")
    press(robot, "rotate_key")
    assert checks(robot)["message_url"].state == CheckState.OK
    services.rotate_callback_key(robot, "test")
    found = checks(robot)["bind_1"]
    assert (found.state, found.fixes) == (CheckState.WARNING, ("bind_1",))


def test_the_mode_is_set_from_here(robot: Robot, simulator: SimulatorClient) -> None:
    press(robot, "mode_shadow")
    found = checks(robot)["mode"]
    assert found.seen == Mode.SHADOW.label
    assert "mode_shadow" not in found.fixes


# -- asking sparingly --------------------------------------------------------------------------------------------------


def test_looking_again_and_again_asks_once(robot: Robot, simulator: SimulatorClient, door: list[str]) -> None:
    for _ in range(5):
        checks(robot)
    assert sorted(asked(simulator)) == sorted(["get", "get", "online", "get-detail", "onlineInfos", "version"])
    press(robot, "open_callback")
    checks(robot)
    assert asked(simulator)[6:] == ["update", "get", "get"]
    assert limiter().used() == len(simulator.ledger())
    for _ in range(3):
        press(robot, "look")
        checks(robot)
    assert len(asked(simulator)) == 15
    assert door.count("/healthz") == 1


def test_a_platform_that_is_down_is_said_so_and_asked_once(robot: Robot, settings: Settings) -> None:
    settings.WORKTOOL_BASE_URL = "http://127.0.0.1:9"
    found = checks(robot)
    assert found["base_url"].state == CheckState.PROBLEM
    assert {found[key].state for key in ("reply_all", "licence", "bind_1", "online")} == {CheckState.UNKNOWN}
    assert found["mode"].state == CheckState.OK
    assert limiter().used() == 1
    checks(robot)
    assert limiter().used() == 1
    assert not apply(FIXES["connect"], robot, "", "test").ok


def test_too_many_requests_stop_all_asking(robot: Robot, simulator: SimulatorClient) -> None:
    simulator.faults({"kind": "http_status", "value": 429, "count": 1})
    assert checks(robot)["base_url"].state == CheckState.UNKNOWN
    assert not limiter().acquire(1).granted
    checks(robot)
    assert len(simulator.ledger()) == 1


def test_looking_leaves_requests_for_answering(robot: Robot, simulator: SimulatorClient, settings: Settings) -> None:
    settings.WORKTOOL_REQUEST_LIMIT = 5
    assert checks(robot)["online"].state == CheckState.OK
    assert len(simulator.ledger()) == limiter().used() == 4


def test_what_is_kept_holds_no_credential_in_the_open(
    robot: Robot, simulator: SimulatorClient, door: list[str]
) -> None:
    press(robot, "connect")
    checks(robot)
    with redis.Redis.from_url(configured.REDIS_BROKER_URL) as store:
        kept = store.get(f"{configured.REDIS_PREFIX}:connect:{robot.pk}")
    assert isinstance(kept, bytes)
    assert ROBOT_ID.encode() not in kept
    assert robot.callback_key.reveal().encode() not in kept
    assert {row.kind for row in stored(robot.pk).bindings or []} == {0, 1, 5, 6, 11}
    assert platform().robot_info(robot).key_check == 0
