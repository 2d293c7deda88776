"""Connecting robots, their keys and modes, the demo robot, and the copy of robots in memory."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
import redis
from pytest_django.fixtures import Settings

from robots import caches, services
from robots.bind_notes import note_key
from robots.caches import robots_by_id
from robots.client import platform
from robots.connecting import connect_demo_robots, connect_robot, demo, is_connected
from robots.limiter import limiter
from robots.models import Mode, Robot, RobotGroup
from robots.seeds import seed
from robots.simulator.testing import SimulatorClient
from worktool_ai.accounts.models import AuditEntry
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.crypto import fingerprint
from worktool_ai.lib.loopback import LoopbackApp, Request, Response, json_response, running
from worktool_ai.lib.versions import TableVersions


@pytest.fixture
def demo_machine(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ENVIRONMENT = "embedded"
    monkeypatch.setattr(demo, "_turns", defaultdict(demo._Turn))


def test_connecting_binds_all_five(robot: Robot, simulator: SimulatorClient, door: list[str]) -> None:
    assert not is_connected(robot)
    assert [step.event for step in connect_robot(robot, "test") if not step.problem] == [
        "message",
        "result",
        "qrcode",
        "online",
        "offline",
    ]
    assert is_connected(robot)
    assert {binding.kind for binding in platform().get_callbacks(robot)} == {0, 1, 5, 6, 11}
    key = robot.callback_key.reveal()
    assert f"/api/worktool/callback/{key}/message" in door
    assert AuditEntry.objects.get(action="robot.connect").after["problems"] == {}


def test_while_an_address_is_bound_the_door_knows_of_it(
    robot: Robot, simulator: SimulatorClient, durable_redis: redis.Redis, settings: Settings
) -> None:
    noted: dict[str, bool] = {}

    async def accept(request: Request) -> Response:
        for event in ("online", "offline"):
            if request.path.endswith(f"/{event}"):
                noted[event] = bool(durable_redis.exists(note_key(robot.pk, event)))
        return json_response(200, {"code": 0, "message": "success"})

    with running(LoopbackApp(accept)) as settings.PUBLIC_URL:
        connect_robot(robot, "test")
    assert noted == {"online": True, "offline": True}


def test_every_problem_is_named(robot: Robot, simulator: SimulatorClient, settings: Settings) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:9"
    problems = [step.problem for step in connect_robot(robot, "test")]
    assert len(problems) == 5
    assert all("回调地址校验失败" in problem for problem in problems)
    settings.WORKTOOL_REQUEST_LIMIT = 0
    assert all("limit" in step.problem for step in connect_robot(robot, "test"))


def test_the_demo_machine_connects_itself(
    robot: Robot, simulator: SimulatorClient, door: list[str], demo_machine: None
) -> None:
    connect_demo_robots()
    assert is_connected(robot)
    before = len(simulator.ledger())
    connect_demo_robots()
    assert len(simulator.ledger()) == before


def test_a_robot_that_people_add_is_connected_by_them(
    robot: Robot, simulator: SimulatorClient, door: list[str], demo_machine: None
) -> None:
    Robot.objects.update(slug="robot-of-ours")
    connect_demo_robots()
    assert simulator.ledger() == []


def test_it_tries_again_until_the_door_answers(
    robot: Robot, simulator: SimulatorClient, settings: Settings, demo_machine: None, door: list[str]
) -> None:
    reachable, settings.PUBLIC_URL = settings.PUBLIC_URL, "http://127.0.0.1:9"
    connect_demo_robots()
    tried = len(simulator.ledger())
    connect_demo_robots()
    assert len(simulator.ledger()) == tried  # not at once: trying costs requests that answers need
    settings.PUBLIC_URL = reachable
    store = limiter()._store
    store.delete(*store.keys("*:paced:connect:*"))
    demo._turns[robot.pk].next_at = 0.0
    connect_demo_robots()
    assert is_connected(robot)


def test_a_real_platform_is_never_configured_unasked(robot: Robot, settings: Settings, demo_machine: None) -> None:
    settings.WORKTOOL_BASE_URL = "https://worktool.invalid"
    connect_demo_robots()
    settings.WORKTOOL_BASE_URL, settings.ENVIRONMENT = "http://127.0.0.1:9", "production"
    connect_demo_robots()
    assert limiter().used() == 0


def test_rotating_keeps_the_old_key_for_a_day(robot: Robot) -> None:
    old = robot.callback_key.reveal()
    rotated = services.rotate_callback_key(robot, "test")
    rotated.refresh_from_db()
    assert rotated.callback_key.reveal() != old
    assert rotated.callback_key_digest == fingerprint(rotated.callback_key.reveal())
    assert rotated.previous_key_digest == fingerprint(old)
    assert rotated.previous_key_until
    entry = AuditEntry.objects.get(action="robot.rotate_key")
    assert old not in str(entry.after)
    assert rotated.callback_key.reveal() not in str(entry.after)


def test_a_new_robot_drafts_only(transactional_db: None) -> None:
    robot = services.create_robot(slug="new", name="新机器人", robot_id="wt-new", actor="test")
    assert robot.mode == Mode.SHADOW
    assert not robots_by_id()[robot.pk].sends_itself
    assert AuditEntry.objects.get(action="robot.add").after["mode"] == "shadow"
    services.set_mode(robot, Mode.AUTOMATIC, "test")
    services.set_mode(robot, Mode.AUTOMATIC, "test")
    assert robots_by_id()[robot.pk].sends_itself
    assert AuditEntry.objects.filter(action="robot.set_mode").count() == 1


def test_the_demo_robot_is_planted_once(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_ROBOT_ID", "wt-demo-robot")
    monkeypatch.setenv("DEMO_CALLBACK_KEY", "demo-callback-key")
    assert seed() == 2
    robot = Robot.objects.get(slug="demo")
    assert (robot.name, robot.mode, robot.group) == ("客服机器人", "automatic", RobotGroup.objects.get())
    assert robot.robot_id.reveal() == "wt-demo-robot"
    assert robot.callback_key_digest == fingerprint("demo-callback-key")
    robot.delete()
    assert seed() == 0
    assert not Robot.objects.exists()


# -- the copy in memory ------------------------------------------------------------------------------------------------


def test_the_copy_follows_changes_and_shows_no_secret(robot: Robot) -> None:
    cache = VersionedCache(caches._load, Robot, RobotGroup, versions=TableVersions(max_age_s=0.0))
    assert cache.get()[robot.pk].group == ""
    Robot.objects.update(group=RobotGroup.objects.create(name="客服"))
    assert cache.get()[robot.pk].group == "客服"
    RobotGroup.objects.update(name="售后")
    assert cache.get()[robot.pk].group == "售后"
    snapshot = cache.get()[robot.pk]
    assert snapshot.robot_id.reveal() == "wt-outbound-robot-1"
    assert "wt-outbound" not in repr(snapshot)


def test_the_copy_is_asked_about_at_most_once_a_second(robot: Robot, django_assert_num_queries: Any) -> None:
    cache = VersionedCache(caches._load, Robot, RobotGroup)
    cache.get()
    with django_assert_num_queries(0):
        cache.get()
