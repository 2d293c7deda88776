"""The gateway's pages: every list opens and is searched, secrets stay secret, deeds are done and audited."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from robots import outbox, services
from robots.door import raw_bodies
from robots.models import Command, Conversation, DeadLetter, InboxEntry, Message, OnlineChange, Robot, RobotGroup
from robots.services import create_robot
from robots.simulator.testing import SimulatorClient
from tests.robots.outbound.conftest import ROBOT_ID, Queue, ago, state_of
from worktool_ai.accounts.models import AuditEntry, Role, ScopeKind, User
from worktool_ai.lib.clock import now

LABELS = sorted(str(model._meta.model_name) for model in admin.site._registry if model._meta.app_label == "robots")


def signed_in(**more: Any) -> Client:
    fields = {"username": "someone", "is_staff": True, "role": Role.OWNER, "language": "en", **more}
    client = Client()
    client.cookies["django_language"] = "en"  # as the language switch sets it
    client.force_login(User.objects.create(**fields))
    return client


@pytest.fixture
def owner(robot: Robot) -> Client:
    return signed_in()


def page(client: Client, name: str, *args: Any, **query: str) -> str:
    answer = client.get(reverse(f"admin:{name}", args=args), query)
    assert answer.status_code == 200, (name, answer.status_code)
    return answer.content.decode()


@pytest.mark.parametrize("model", LABELS)
def test_every_list_opens_and_searches(owner: Client, queue: Queue, robot: Robot, model: str) -> None:
    queue("收到，马上查")
    OnlineChange.objects.create(robot=robot, is_online=True, source="callback", at=now())
    page(owner, f"robots_{model}_changelist")
    if admin.site._registry[_model(model)].search_fields:
        page(owner, f"robots_{model}_changelist", q="什么")
        page(owner, f"robots_{model}_changelist", q=str(robot.pk))


def _model(name: str) -> Any:
    return next(model for model in admin.site._registry if model._meta.label_lower == f"robots.{name}")


def test_a_command_is_found_by_both_ids(owner: Client, queue: Queue, simulator: SimulatorClient) -> None:
    wanted, other = queue("找得到"), queue("别的话", room="乙群")
    outbox.drain()
    wanted.refresh_from_db()
    for term in (str(wanted.pk), wanted.platform_id, "找得到"):
        found = page(owner, "robots_command_changelist", q=term)
        assert "找得到" in found
        assert "别的话" not in found
    assert wanted.platform_id in page(owner, "robots_command_change", wanted.pk)
    assert other.platform_id == ""


@pytest.mark.parametrize(("needs", "found"), [("unknown", "久无下文"), ("failed", "没发出去")])
def test_what_needs_a_person_is_one_click_away(owner: Client, queue: Queue, needs: str, found: str) -> None:
    Command.objects.filter(pk=queue("久无下文").pk).update(state="unknown", sending_at=ago(200))
    Command.objects.filter(pk=queue("没发出去").pk).update(state="failed", error_code=201101)
    queue("一切正常")
    listed = page(owner, "robots_command_changelist", needs=needs)
    assert [text for text in ("久无下文", "没发出去", "一切正常") if text in listed] == [found]


def test_an_error_comes_with_its_way_out(owner: Client, queue: Queue) -> None:
    command = queue()
    Command.objects.filter(pk=command.pk).update(state="failed", error_code=201101, error_reason="查找聊天窗失败")
    shown = page(owner, "robots_command_change", command.pk)
    assert "chat window not found" in shown
    assert "Check the name" in shown


def test_lines_are_found_by_text_person_and_room(owner: Client, queue: Queue) -> None:
    queue("收到，马上查")
    for term in ("马上查", "客服机器人", "客服群"):
        assert "收到" in page(owner, "robots_message_changelist", q=term)
    line = Message.objects.get()
    assert "queued" in page(owner, "robots_message_changelist")
    page(owner, "robots_message_change", line.pk)


def test_the_robot_page_shows_no_secret(owner: Client, robot: Robot) -> None:
    shown = page(owner, "robots_robot_change", robot.pk)
    assert ROBOT_ID not in shown
    assert "…ot-1" in shown
    assert services.shown_callback_url(robot, "message") in shown
    assert robot.callback_key.reveal() not in shown
    assert ROBOT_ID not in page(owner, "robots_robot_changelist")


def test_who_may_only_look_is_shown_no_address(robot: Robot) -> None:
    operator = signed_in(role=Role.OPERATOR)
    shown = page(operator, "robots_robot_change", robot.pk)
    assert robot.callback_key.reveal() not in shown
    assert operator.get(reverse("admin:robots_robot_connect", args=[robot.pk])).status_code == 403


def test_a_robot_is_added_and_changed_with_its_digests(owner: Client, robot: Robot) -> None:
    fields = {
        "slug": "second",
        "name": "二号",
        "mode": "shadow",
        "robot_id": "wt-second-robot",
        "robot_key": "",
        "line_fresh_s": 300,
        "reply_fresh_s": 180,
        "stale_reply": "expire",
        "duplicate_window_s": 10,
        "merge_window_s": 0,
        "merge_limit_s": 30,
        "is_active": "on",
        "aliases": "",
        "staff_names": "",
    }
    added = owner.post(reverse("admin:robots_robot_add"), fields)
    assert added.status_code == 302, added.context["adminform"].form.errors
    second = Robot.objects.get(slug="second")
    assert (second.robot_id.reveal(), second.mode) == ("wt-second-robot", "shadow")
    assert second.callback_key.reveal()

    kept = {**fields, "name": "二号机", "robot_id": ""}
    assert owner.post(reverse("admin:robots_robot_change", args=[second.pk]), kept).status_code == 302
    second.refresh_from_db()
    assert (second.name, second.robot_id.reveal()) == ("二号机", "wt-second-robot")
    changed = AuditEntry.objects.get(action="robot.change")
    assert changed.after["name"] == "二号机"

    taken = owner.post(reverse("admin:robots_robot_add"), {**fields, "slug": "third", "robot_id": ROBOT_ID})
    assert "Another robot here has this id." in taken.content.decode()
    missing = owner.post(reverse("admin:robots_robot_add"), {**fields, "slug": "third", "robot_id": ""})
    assert "Enter the robot id" in missing.content.decode()
    assert "wt-second" not in json.dumps(list(AuditEntry.objects.values_list("before", "after")))


def _deed(name: str, row: Any) -> str:
    return reverse(f"admin:robots_{row._meta.model_name}_{name}", args=[row.pk])


def test_a_conversation_is_taken_over_and_given_back(owner: Client, conversation: Conversation) -> None:
    for deed, owner_now, epoch in (("take_over", "human", 1), ("give_back", "robot", 2)):
        owner.post(_deed(deed, conversation), {"_form_submitted": "True"})
        conversation.refresh_from_db()
        assert (conversation.owner, conversation.owner_epoch) == (owner_now, epoch)
    assert AuditEntry.objects.filter(action__startswith="conversation.").count() == 2
    assert "someone" in page(owner, "robots_conversation_change", conversation.pk)


def test_it_is_taken_over_from_a_lines_page_too(owner: Client, conversation: Conversation, queue: Queue) -> None:
    command = queue("机器人的话")
    line = command.message
    asked = owner.get(_deed("take_over", line)).content.decode()
    assert "What it has not sent yet is withdrawn" in asked
    assert state_of(command) == "queued"
    done = owner.post(_deed("take_over", line), {"_form_submitted": "True"}, follow=True)
    assert "The robot is silent here" in done.content.decode()
    assert state_of(command) == "withdrawn"
    owner.post(_deed("give_back", line), {"_form_submitted": "True"})
    conversation.refresh_from_db()
    assert (conversation.owner, conversation.owner_epoch) == ("robot", 2)


def test_another_department_sees_and_touches_nothing(conversation: Conversation, queue: Queue) -> None:
    queue("外人看不到")
    group = RobotGroup.objects.create(name="别的部门")
    stranger = signed_in(role=Role.OPERATOR, scope_kind=ScopeKind.GROUPS, scope_values=[group.name])
    assert "外人看不到" not in page(stranger, "robots_message_changelist")
    refused = stranger.post(_deed("take_over", conversation), {"_form_submitted": "True"})
    assert refused.status_code == 404


# -- the door's left-overs ---------------------------------------------------------------------------------------------


def dead_letter(robot: Robot | None, **more: Any) -> DeadLetter:
    body = json.dumps({"spoken": "坏了", "groupName": "客服群", "roomType": 1}, ensure_ascii=False).encode()
    fields = {"kind": "message", "body": body, "error": "ValueError: 读不懂", "received_at": ago(5), **more}
    return DeadLetter.objects.create(robot=robot, **fields)


def test_a_dead_letter_is_handled_again(owner: Client, robot: Robot) -> None:
    letter, orphan = dead_letter(robot), dead_letter(None)
    unreadable = dead_letter(robot, body=b"{", kind="result")
    assert "读不懂" in page(owner, "robots_deadletter_changelist", redriven="no")
    assert "坏了" in page(owner, "robots_deadletter_change", letter.pk)
    chosen = {"action": "redrive", "_selected_action": [str(letter.pk), str(orphan.pk), str(unreadable.pk)]}
    listing = reverse("admin:robots_deadletter_changelist")
    preview = owner.post(listing, chosen).content.decode()
    assert not InboxEntry.objects.exists()
    for told in ("may be answered", "Its robot is gone", "cannot be read", "Handle 2 again"):
        assert told in preview
    done = owner.post(listing, {**chosen, "confirmed": "yes"}, follow=True)
    assert "1 belong to no robot" in done.content.decode()
    entry = InboxEntry.objects.get(pk=letter.pk)
    assert (bytes(entry.body), entry.received_at) == (bytes(letter.body), letter.received_at)
    letter.refresh_from_db()
    assert (letter.attempts, letter.redriven_at is not None) == (2, True)
    assert InboxEntry.objects.count() == 2
    assert AuditEntry.objects.filter(action="deadletter.redrive").count() == 2
    page(owner, "robots_inboxentry_change", entry.pk)


def test_raw_bodies_are_shown_inside_the_scope(owner: Client, robot: Robot, monkeypatch: pytest.MonkeyPatch) -> None:
    create_robot(slug="other", name="别的机器人", robot_id="wt-other", actor="test")

    def body(slug: str, text: str) -> raw_bodies.RawBody:
        return raw_bodies.RawBody(now(), "message", 400, "body", slug, "application/json", 3, text)

    monkeypatch.setattr(raw_bodies, "latest", lambda: [body("demo", "第一条"), body("other", "第二条")])
    button = reverse("admin:robots_robot_latest_callbacks")
    assert button in page(owner, "robots_robot_changelist")
    assert "第二条" in owner.get(button, follow=True).content.decode()
    engineer = signed_in(username="engineer", role=Role.ENGINEER, scope_kind=ScopeKind.ROBOTS, scope_values=["demo"])
    shown = page(engineer, "robots_raw_bodies")
    assert "第一条" in shown
    assert "第二条" not in shown
    operator = signed_in(username="operator", role=Role.OPERATOR)
    assert operator.get(reverse("admin:robots_raw_bodies")).status_code == 403


def test_the_robot_form_suggests_types_in_use_and_takes_others(owner: Client, robot: Robot) -> None:
    create_robot(slug="two", name="乙", robot_id="wt-two", robot_type="售后", actor="test")
    form = page(owner, "robots_robot_change", robot.pk)
    assert '<option value="售后"></option>' in form
    assert 'list="robot_type-suggestions"' in form
