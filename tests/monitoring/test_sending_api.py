"""API v1: sends whose end nobody knows, stopping and resuming, recalling, error codes, and the wait to expect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from robots import caches, switches
from robots.error_codes import TABLE
from robots.limiter import limiter
from robots.models import Command, CommandState, Message, Mode, Robot, Switch, SwitchScope
from tests.monitoring import builders
from tests.monitoring.test_api import client_of, items
from worktool_ai.accounts.models import AuditEntry, Role
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db


@pytest.fixture
def line() -> Message:
    robot = builders.robot()
    Robot.objects.update(mode=Mode.AUTOMATIC, pace_s=6.0)
    caches.forget()
    switches.forget()
    return builders.line(robot)


def command_for(line: Message, state: str = CommandState.UNKNOWN, seconds: float = 200, **more: Any) -> Command:
    at = clock.now() - timedelta(seconds=seconds)
    fields = {
        "id": uuid7(),
        "robot": line.robot,
        "room": line.room,
        "conversation": line.conversation,
        "target": line.room.address,
        "text": "收到，马上查",
        "payload": {"type": 203, "titleList": [line.room.address], "receivedContent": "收到，马上查"},
        "created_at": at,
        "sending_at": at,
        **more,
    }
    return Command.objects.create(state=state, **fields)


def post(client: Client, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    answer = client.post(f"/api/v1/{path}", body, content_type="application/json")
    return answer.status_code, answer.json()


def test_an_unknown_send_is_listed_with_its_evidence_and_decided_once(line: Message) -> None:
    command, client = command_for(line), client_of()
    (shown,) = items(client, "unknown-sends")
    assert (shown["sendId"], shown["text"], shown["mayResend"]) == (str(command.pk), "收到，马上查", True)
    assert shown["evidence"]
    assert shown["summary"]
    status, body = post(client, f"unknown-sends/{command.pk}/confirm-sent/")
    assert (status, body["data"]["commandDetail"], body["data"]["decision"]) == (200, "done", "sent")
    assert items(client, "unknown-sends") == []
    assert post(client, f"unknown-sends/{command.pk}/resend/")[0] == 404
    assert AuditEntry.objects.filter(action="send.sent").count() == 1


def test_sent_again_or_refused_with_the_reason(line: Message) -> None:
    command, deed, client = command_for(line), command_for(line, kind=206), client_of()
    status, body = post(client, f"unknown-sends/{command.pk}/resend/")
    assert (status, body["data"]["commandDetail"], body["data"]["sendId"] != str(command.pk)) == (200, "queued", True)
    status, body = post(client, f"unknown-sends/{deed.pk}/resend/")
    assert (status, "206" in body["message"]) == (409, True)
    (shown,) = items(client, "unknown-sends")
    assert "206" in shown["whyNotResent"]


def test_who_may_not_decide(line: Message) -> None:
    command = command_for(line)
    for client, expected in ((client_of(Role.VIEWER), 403), (client_of(robots=["another"]), 404), (Client(), 401)):
        assert post(client, f"unknown-sends/{command.pk}/confirm-sent/")[0] == expected
    assert Command.objects.get().state == "unknown"


def test_stopped_twice_and_resumed(line: Message) -> None:
    client = client_of()
    wanted = {"scope": "room", "room": str(line.room_id), "why": "价格写错了"}
    status, body = post(client, "switches/", wanted)
    assert (status, body["data"]["inForce"], body["data"]["robot"]) == (201, True, "demo")
    assert post(client, "switches/", wanted)[0] == 409
    (shown,) = items(client, "switches", inForce="true")
    assert (shown["why"], shown["liftedAt"]) == ("价格写错了", None)
    for _ in range(2):
        status, body = post(client, f"switches/{shown['id']}/resume/")
        assert (status, body["data"]["inForce"]) == (200, False)
    assert AuditEntry.objects.filter(action__startswith="sending.").count() == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "all"}, "why"),
        ({"scope": "world", "why": "试"}, "scope"),
        ({"scope": "robot", "why": "试"}, "robot"),
        ({"scope": "room", "why": "试", "robot": "demo"}, "room"),
    ],
)
def test_a_stop_that_is_not_clear_is_refused(line: Message, body: dict[str, Any], field: str) -> None:
    status, answer = post(client_of(), "switches/", body)
    assert (status, answer["details"][0]["field"]) == (400, field)
    assert not Switch.objects.exists()


def test_all_robots_need_the_scope_of_all(line: Message) -> None:
    narrow = client_of(robots=["demo"])
    assert post(narrow, "switches/", {"scope": "all", "why": "试"})[0] == 403
    assert post(narrow, "switches/", {"scope": "robot", "robot": "demo", "why": "试"})[0] == 201
    assert post(client_of(Role.VIEWER), "switches/", {"scope": "all", "why": "试"})[0] == 403
    everywhere = switches.stop("all", "试", "王五")
    assert {one["scope"] for one in items(narrow, "switches")} == {"all", "robot"}
    assert post(narrow, f"switches/{everywhere.pk}/resume/")[0] == 403


def test_a_line_is_taken_back_once(line: Message) -> None:
    moment = clock.now()
    command = command_for(line, "done", 5, accepted_at=moment, final_at=moment)
    client = client_of()
    status, body = post(client, f"commands/{command.pk}/recall/")
    assert (status, body["data"]["type"], body["data"]["recalls"]) == (200, 226, str(command.pk))
    assert post(client, f"commands/{command.pk}/recall/")[0] == 409
    shown = client.get(f"/api/v1/commands/{command.pk}/").json()["data"]
    assert shown["recall"] == "under_way"


def test_error_codes_are_those_of_the_code(line: Message) -> None:
    told = client_of(Role.VIEWER).get("/api/v1/error-codes/").json()["data"]
    assert [row["code"] for row in told["codes"]] == list(TABLE)
    assert {206, 207, 213, 219} <= set(told["neverRepeated"])


def test_the_wait_to_expect_at_robots_and_rooms(line: Message) -> None:
    for _ in range(3):
        command_for(line, "queued")
    for name in ("robots", "rooms"):
        (shown,) = items(client_of(), name)
        assert (shown["waiting"], shown["paceS"], shown["expectedWaitS"]) == (3, 6.0, 18.0)


def sending(client: Client) -> dict[str, Any]:
    answer = client.get("/api/v1/sending/")
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()["data"]
    return told


def test_how_sending_stands(line: Message) -> None:
    for seconds in (1, 2):
        command_for(line, CommandState.QUEUED, seconds)
    limiter().acquire(3)
    told = sending(client_of(Role.VIEWER))
    assert told["stops"] == []
    assert (told["budget"]["used"], told["budget"]["pausedSeconds"]) == (3, 0)
    assert (told["waitingCommands"], told["waitSeconds"]) == (2, 12.0)
    Robot.objects.update(pace_s=None)
    assert sending(client_of())["waitSeconds"] is None


def test_a_stop_is_told_to_whom_it_concerns(line: Message) -> None:
    switches.stop(SwitchScope.ROOM, "演练", "王五", robot=line.robot, room=line.room)
    (stop,) = sending(client_of())["stops"]
    assert (stop["where"], stop["why"], stop["by"]) == ("客服群", "演练", "王五")
    assert sending(client_of(robots=["another"]))["stops"] == []
    switches.stop(SwitchScope.ALL, "全停", "王五")
    (everywhere,) = sending(client_of(robots=["another"]))["stops"]
    assert everywhere["why"] == "全停"


def test_without_redis_the_budget_is_unknown_and_not_zero(line: Message, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert sending(client_of())["budget"] is None
