"""Who may open and press what; nothing on the pages is a credential; the API tells the same."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.test import Client
from django.urls import reverse

from robots.connecting import answers
from robots.models import Robot
from robots.simulator.testing import SimulatorClient
from tests.robots.connecting.conftest import ROBOT_ID
from tests.robots.outbound.test_admin import signed_in
from worktool_ai.accounts.models import AuditEntry, Role, ScopeKind

INDEX = "robots_connect"
PAGE = "robots_robot_connect"


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def text(client: Client, name: str, *args: Any) -> str:
    answer = client.get(url(name, *args))
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_an_owner_adds_a_robot_by_its_id_alone(transactional_db: None, simulator: SimulatorClient) -> None:
    owner = signed_in()
    assert "No robot yet" in text(owner, INDEX)
    added = owner.post(url(INDEX), {"name": "春季客服", "robot_id": " wt-spring-robot "})
    robot = Robot.objects.get()
    assert added.headers["Location"] == url(PAGE, robot.pk)
    assert (robot.mode, robot.robot_id.reveal()) == ("shadow", "wt-spring-robot")
    assert simulator.ledger() == []
    again = owner.post(url(INDEX), {"name": "再来", "robot_id": "wt-spring-robot"})
    assert "Another robot here has this id." in again.content.decode()
    assert AuditEntry.objects.get(action="robot.add").actor_name == "someone"


def test_the_page_shows_no_credential(robot: Robot, simulator: SimulatorClient, door: list[str]) -> None:
    owner = signed_in()
    owner.post(url("robots_robot_connect_fix", robot.pk, "connect"))
    shown = text(owner, f"{PAGE}_checks", robot.pk) + text(owner, PAGE, robot.pk) + text(owner, INDEX)
    assert 'data-row="message_url"' in shown
    assert ROBOT_ID not in shown
    assert robot.callback_key.reveal() not in shown


def test_a_button_answers_its_script_and_without_one_the_page(
    robot: Robot, simulator: SimulatorClient, door: list[str]
) -> None:
    owner = signed_in()
    press = url("robots_robot_connect_fix", robot.pk, "robot_key")
    assert owner.post(press, headers={"Accept": "application/json"}).json()["ok"] is False
    done = owner.post(press, {"value": "a-key-that-is-new"}, follow=True)
    assert "Key stored" in done.content.decode()
    assert "a-key-that-is-new" not in done.content.decode()
    assert owner.get(press).status_code == 405
    assert owner.post(url("robots_robot_connect_fix", robot.pk, "nothing")).status_code == 404


def test_engineers_look_and_only_owners_press(robot: Robot, simulator: SimulatorClient) -> None:
    engineer = signed_in(role=Role.ENGINEER)
    shown = text(engineer, f"{PAGE}_checks", robot.pk)
    assert "An owner can set this right here." in shown
    assert "connect/fix/connect/" not in shown
    for name in ("connect", "robot_key", "rotate_key", "message_url"):
        assert engineer.post(url("robots_robot_connect_fix", robot.pk, name), {"value": "x"}).status_code == 403
    assert engineer.post(url("robots_robot_connect_fix", robot.pk, "mode_shadow")).status_code == 302
    assert engineer.post(url(INDEX), {"name": "x", "robot_id": "wt-x"}).status_code == 403
    assert 'id="add-robot"' not in text(engineer, INDEX)
    assert robot.callback_key.reveal() not in text(engineer, "robots_robot_change", robot.pk)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
def test_others_are_refused(robot: Robot, role: str) -> None:
    client = signed_in(role=role)
    for name, args in ((INDEX, ()), (PAGE, (robot.pk,)), (f"{PAGE}_checks", (robot.pk,))):
        assert client.get(url(name, *args)).status_code == 403


def test_a_robot_out_of_scope_is_not_there(robot: Robot) -> None:
    other = signed_in(role=Role.ENGINEER, scope_kind=ScopeKind.ROBOTS, scope_values=["other"])
    assert robot.name not in text(other, INDEX)
    assert other.get(url(PAGE, robot.pk)).status_code == 404
    assert other.post(url("robots_robot_connect_fix", robot.pk, "mode_shadow")).status_code == 404


def test_the_page_opens_without_redis(robot: Robot, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> redis.Redis:
        raise redis.ConnectionError

    monkeypatch.setattr(answers, "_redis", away)
    owner = signed_in()
    assert "Redis is away" in text(owner, PAGE, robot.pk)
    press = url("robots_robot_connect_fix", robot.pk, "look")
    assert "Redis is away" in owner.post(press, headers={"Accept": "application/json"}).json()["text"]
    assert owner.get(f"/api/v1/robots/{robot.slug}/checks/").status_code == 503


def test_the_api_tells_the_same(robot: Robot, simulator: SimulatorClient) -> None:
    address = f"/api/v1/robots/{robot.slug}/checks/"
    viewer, owner = signed_in(username="viewer", role=Role.VIEWER), signed_in()
    before = viewer.get(address).json()["data"]
    assert {check["key"]: check["state"] for check in before["checks"]}["robot_id"] == "checking"
    assert simulator.ledger() == []
    assert viewer.post(address).status_code == 403
    data = owner.post(address).json()["data"]
    states = {check["key"]: check["state"] for check in data["checks"]}
    assert (states["robot_id"], states["message_url"]) == ("ok", "problem")
    assert data["problems"] == sum(state == "problem" for state in states.values())
    assert ROBOT_ID not in str(data)
