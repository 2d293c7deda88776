"""API v1: the envelope, filters, scope, masking, and who may call what."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from alerts.models import Alert, AlertState, Level
from flows import nodes
from flows.models import Effect, Step
from personas.models import AICall
from robots.models import CommandResult, CommandState
from tests.monitoring import builders
from worktool_ai.accounts import api_keys, checks
from worktool_ai.accounts.models import ApiKey, AuditEntry, Role
from worktool_ai.accounts.permissions import ABILITIES
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db


def client_of(role: str = Role.OPERATOR, robots: list[str] | None = None) -> Client:
    client = Client()
    client.force_login(builders.person(role, robots))
    return client


def items(client: Client, path: str, **parameters) -> list[dict]:
    answer = client.get(f"/api/v1/{path}/", parameters)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["code"] == 0
    assert body["requestId"] == answer["X-Request-ID"]
    rows: list[dict] = body["data"]["items"]
    return rows


def alert_of(message, **fields) -> Alert:
    now = clock.now()
    defaults = {"code": "risk", "level": Level.CRITICAL, "title": "张三 威胁投诉", "fingerprint": uuid7().hex}
    return Alert.objects.create(
        robot=message.robot, room=message.room, message=message, first_at=now, last_at=now, **{**defaults, **fields}
    )


class TestMessages:
    def test_a_line_tells_how_it_stands_and_why(self):
        robot = builders.robot(group="售后")
        said = builders.line(robot, reason="chatter", intent="chat", intent_confidence=0.9)
        (shown,) = items(client_of(), "messages")
        assert shown["id"] == str(said.pk)
        assert (shown["state"], shown["reason"]) == ("silent", "chatter")
        assert shown["reasonText"]
        assert (shown["robot"], shown["group"], shown["room"], shown["sender"]) == ("demo", "售后", "客服群", "张三")
        assert "wt-demo" not in str(shown), "the platform's robotId is a credential"

    def test_a_robots_line_has_its_command_under_both_ids(self):
        question = builders.line(builders.robot(), reason="answered", run_id=uuid7())
        said = builders.answer(question, state=CommandState.UNKNOWN, platform_id="plat-77")
        client = client_of()
        (shown,) = items(client, "messages", direction="out")
        assert shown["command"]["sendId"] == str(said.command.pk)
        assert shown["command"]["messageId"] == "plat-77"
        assert (shown["command"]["commandStatus"], shown["command"]["commandDetail"]) == ("sent", "unknown")
        assert shown["state"] == "unknown"
        assert shown["sender"] == "张三", "whom it answers"
        for name, value in (("sendId", str(said.command.pk)), ("messageId", "plat-77")):
            assert [one["id"] for one in items(client, "messages", **{name: value})] == [str(said.pk)]
        assert len(items(client, "messages", run=str(question.run_id))) == 2

    def test_pages_by_cursor_newest_first(self):
        robot = builders.robot()
        ids = [str(builders.line(robot, f"第 {n} 行").pk) for n in range(5)]
        client = client_of()
        first = client.get("/api/v1/messages/", {"limit": 3}).json()["data"]
        second = client.get("/api/v1/messages/", {"limit": 3, "cursor": first["nextCursor"]}).json()["data"]
        assert [one["id"] for one in first["items"] + second["items"]] == ids[::-1]
        assert second["nextCursor"] is None

    def test_filters(self):
        demo, sales = builders.robot("demo"), builders.robot("sales")
        tech = builders.room(demo, "技术支持群")
        old = clock.now() - timedelta(hours=3)
        refund = builders.line(demo, "如何退款？", "张三", reason="answered", received_at=old)
        login = builders.line(demo, "无法登录", "李四", tech)
        price = builders.line(sales, "多少钱", "王五", reason="flow_failed")
        client = client_of()

        def found(**parameters) -> set[str]:
            return {one["text"] for one in items(client, "messages", **parameters)}

        hour_ago = (clock.now() - timedelta(hours=1)).isoformat()
        assert found(robot="sales") == {price.text}
        assert found(room=str(tech.pk)) == {login.text}
        assert found(room="技术") == {login.text}
        assert found(person="张") == {refund.text}
        assert found(since=hour_ago) == {login.text, price.text}
        assert found(until=hour_ago) == {refund.text}
        assert found(status="processing") == {login.text}
        assert found(status="replied") == {refund.text}
        assert found(status="failed") == {price.text}
        assert found(text="登录") == {login.text}
        assert found(ids=f"{refund.pk},{price.pk}") == {refund.text, price.text}

    def test_every_state_is_found_by_the_filter_of_its_name(self):
        robot = builders.robot()
        for reason in ("", "answered", "chatter", "handed_over", "send_failed", "send_unknown", "draft_only"):
            question = builders.line(robot, reason=reason)
        for state in CommandState.values:
            builders.answer(question, state=state)
        client = client_of()
        every = items(client, "messages", limit=200)
        found = [one for state in {one["state"] for one in every} for one in items(client, "messages", status=state)]
        assert sorted(one["id"] for one in found) == sorted(one["id"] for one in every)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("since", "gestern"), ("status", "odd"), ("limit", "0"), ("cursor", "x"), ("ids", "1,2"), ("run", "x")],
    )
    def test_a_bad_parameter_is_named(self, name, value):
        answer = client_of().get("/api/v1/messages/", {name: value})
        assert answer.status_code == 400
        (problem,) = answer.json()["details"]
        assert problem["field"] == name
        assert problem["way_out"]

    def test_outside_the_scope_there_is_nothing(self):
        mine, theirs = builders.robot("mine"), builders.robot("theirs")
        builders.line(mine)
        foreign = builders.line(theirs)
        client = client_of(robots=["mine"])
        assert [one["robot"] for one in items(client, "messages")] == ["mine"]
        assert client.get(f"/api/v1/messages/{foreign.pk}/").status_code == 404
        assert items(client, "messages", robot="theirs") == []

    def test_a_viewer_sees_no_contact_data(self):
        robot = builders.robot()
        private = builders.room(robot, "王小丽", is_group=False)
        builders.answer(
            builders.line(robot, "我是王小丽，电话 13800138000", "王小丽", private, reason="answered"), "王小丽您好"
        )
        seen = {"text_type": 2, "picture_text": "名片：王小丽 13800138000，课程顾问"}
        builders.line(robot, "", "王小丽", private, reason="answered", **seen)
        client = client_of(Role.VIEWER)
        text = str(items(client, "messages")) + str(items(client, "commands"))
        assert "王小丽" not in text
        assert "13800138000" not in text
        assert "王＊" in text
        assert "课程顾问" in text, "what is on a picture is told, without the person"
        refused = client.get("/api/v1/messages/", {"person": "王小丽"})
        assert refused.status_code == 403, "or names could be found by trying"
        assert items(client, "rooms") == []


class TestCommands:
    def test_by_either_id_with_its_results(self):
        said = builders.answer(builders.line(builders.robot()), state=CommandState.PARTIAL, platform_id="p-1")
        CommandResult.objects.create(
            robot=said.robot,
            command=said.command,
            platform_id="p-1",
            error_code=0,
            success_list=["客服群"],
            fail_list=["别的群"],
            raw={},
            received_at=clock.now(),
        )
        client = client_of()
        for parameters in ({"sendId": str(said.command.pk)}, {"messageId": "p-1"}, {"commandStatus": "sent"}):
            assert [one["sendId"] for one in items(client, "commands", **parameters)] == [str(said.command.pk)]
        assert items(client, "commands", commandStatus="failed") == []
        detail = client.get(f"/api/v1/commands/{said.command.pk}/").json()["data"]
        assert detail["results"][0] | {"receivedAt": ""} == {
            "errorCode": 0,
            "errorReason": "",
            "successCount": 1,
            "failCount": 1,
            "executedAt": None,
            "receivedAt": "",
        }


class TestRuns:
    def test_a_run_has_its_steps_effects_and_calls(self):
        question = builders.line(builders.robot())
        run = builders.run(question, reason="answered")
        now = clock.now()
        patch = {"intent_confidence": 0.9, "variables": {"own_name": 1}}
        Step.objects.create(
            run=run, ordinal=1, node_id="intent", node_type="intent", patch=patch, started_at=now, ended_at=now
        )
        Effect.objects.create(run=run, node_id="intent", ordinal=0, kind="ask_model", created_at=now)
        AICall.objects.create(
            task="intent", provider="local", run_id=run.pk, succeeded=True, duration_ms=3, created_at=now
        )
        client = client_of()
        (listed,) = items(client, "runs", message=str(question.pk))
        assert "steps" not in listed
        detail = client.get(f"/api/v1/runs/{run.pk}/").json()["data"]
        assert [step["nodeId"] for step in detail["steps"]] == ["intent"]
        assert detail["steps"][0]["patch"] == {"intentConfidence": 0.9, "variables": {"own_name": 1}}
        assert detail["effects"][0]["outcome"] is None
        assert detail["aiCalls"][0]["cost"] is None, "unknown is not zero"

    def test_are_not_for_viewers(self):
        assert client_of(Role.VIEWER).get("/api/v1/runs/").status_code == 403


class TestAlerts:
    def test_are_acknowledged_and_resolved_once(self):
        alert = alert_of(builders.line(builders.robot()))
        client = client_of()
        taken = client.post(f"/api/v1/alerts/{alert.pk}/acknowledge/")
        assert taken.json()["data"]["state"] == AlertState.ACKNOWLEDGED
        again = client.post(f"/api/v1/alerts/{alert.pk}/acknowledge/")
        assert again.status_code == 409
        assert again.json()["details"][0]["way_out"]
        assert client.post(f"/api/v1/alerts/{alert.pk}/resolve/").json()["data"]["state"] == AlertState.RESOLVED
        assert AuditEntry.objects.filter(target_id=str(alert.pk)).count() == 2

    def test_are_only_handled_by_people_who_may(self):
        alert = alert_of(builders.line(builders.robot()))
        assert client_of(Role.VIEWER).post(f"/api/v1/alerts/{alert.pk}/resolve/").status_code == 403
        assert client_of(robots=["other"]).post(f"/api/v1/alerts/{alert.pk}/resolve/").status_code == 404
        row = ApiKey(name="script", role=Role.OPERATOR)
        key = api_keys.issue(row, builders.person(Role.OWNER))
        refused = Client().post(f"/api/v1/alerts/{alert.pk}/resolve/", headers={"Authorization": f"Bearer {key}"})
        assert refused.status_code == 403
        alert.refresh_from_db()
        assert alert.state == AlertState.OPEN

    def test_of_no_robot_are_for_those_who_see_all(self):
        alert = alert_of(builders.line(builders.robot()))
        Alert.objects.filter(pk=alert.pk).update(robot=None, room=None, message=None)
        assert len(items(client_of(), "alerts")) == 1
        assert items(client_of(robots=["demo"]), "alerts") == []

    def test_hide_names_from_viewers(self):
        alert_of(builders.line(builders.robot()))
        (shown,) = items(client_of(Role.VIEWER), "alerts")
        assert shown["title"] == "张＊ 威胁投诉"


def test_robots_show_no_credentials():
    builders.robot(robot_key="sekret")
    (shown,) = items(client_of(), "robots")
    assert not any(secret in str(shown) for secret in ("wt-demo", "key-demo", "sekret"))
    assert client_of().get("/api/v1/robots/demo/").json()["data"]["slug"] == "demo"


def test_rooms_are_groups_only():
    robot = builders.robot()
    builders.room(robot)
    builders.room(robot, "王小丽", is_group=False)
    assert [one["name"] for one in items(client_of(), "rooms")] == ["客服群"]


def test_every_node_type_is_listed_with_its_schema():
    answer = client_of().get("/api/v1/node-types/").json()["data"]
    assert {one["key"] for one in answer} == {node.key for node in nodes.registry}
    assert all(one["label"] and one["configSchema"]["type"] == "object" for one in answer)


def test_me_tells_role_and_scope():
    me = client_of(Role.OPERATOR, robots=["a"]).get("/api/v1/me/").json()["data"]
    assert (me["role"], me["scopeKind"], me["scopeValues"]) == ("operator", "robots", ["a"])


def test_the_api_document_names_every_route_and_no_two_things_alike(capsys: pytest.CaptureFixture[str]):
    answer = client_of().get("/api/schema", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    paths = answer.json()["paths"]
    assert {"/api/v1/messages/", "/api/v1/alerts/{id}/acknowledge/", "/api/v1/node-types/"} <= set(paths)
    assert "Warning" not in capsys.readouterr().err


# -- who may call what: every route, every role ----------------------------------------------------------------------


def api_routes() -> list[tuple[str, object, str, str]]:
    """(address, view class, method, action) of every API route, with ids that lead nowhere."""
    routes = []
    for address, name, view in checks.addresses():
        if not name.startswith("api:"):
            continue
        filled = "/" + re.sub(r"\(\?P<\w+>.*?\)", str(uuid7()), address).replace("^", "").replace("$", "")
        actions = getattr(view, "actions", None) or {"get": ""}
        routes += [(filled, view.cls, method, action) for method, action in actions.items() if method != "head"]
    return routes


def test_the_matrix_covers_the_api():
    assert len(api_routes()) >= 17


@pytest.mark.parametrize("role", list(Role))
def test_the_permission_matrix_holds_on_every_route(role):
    client = client_of(role)
    for address, view, method, action in api_routes():
        stated = view.requires[action] if isinstance(view.requires, dict) else view.requires
        answer = getattr(client, method)(address)
        expected = stated in ABILITIES[role]
        assert (answer.status_code != 403) == expected, (role, method, address, answer.status_code)


def test_strangers_get_nothing_anywhere():
    for address, _view, method, _action in api_routes():
        answer = getattr(Client(), method)(address)
        assert answer.status_code == 401, address
        assert answer.json()["details"][0]["way_out"]


def test_somebody_switched_off_gets_nothing():
    client, person = Client(), builders.person(Role.OWNER)
    client.force_login(person)
    person.is_active = False
    person.save()
    assert client.get("/api/v1/messages/").status_code == 401
