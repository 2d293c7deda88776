"""The answer box on a conversation's page: what it shows, sends, refuses, and to whom it is open."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from robots import outbox, switches
from robots.models import Command, Conversation, Message, Mode, Owner, Robot, SwitchScope
from robots.models.commands import Priority
from robots.simulator.testing import SimulatorClient
from tests.robots.outbound.conftest import Queue
from tests.robots.outbound.test_admin import signed_in
from tests.templates_lib import samples
from worktool_ai.accounts.models import Role, ScopeKind
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7

AS_JSON = {"Accept": "application/json"}


@pytest.fixture(autouse=True)
def _local_platform(settings: Any) -> None:
    """Files of this machine can be fetched by a platform on it."""
    settings.WORKTOOL_BASE_URL = "http://127.0.0.1:9"


@pytest.fixture
def operator(robot: Robot) -> Client:
    return signed_in(role=Role.OPERATOR)


def url(what: str, row: Conversation) -> str:
    return reverse(f"admin:robots_conversation_{what}", args=[row.pk])


def say(client: Client, row: Conversation, **given: Any) -> dict[str, Any]:
    answer = client.post(url("answer", row), {"send_id": str(uuid7()), **given}, headers=AS_JSON)
    assert answer.status_code == 200, answer.status_code
    told: dict[str, Any] = answer.json()
    return told


def lines(client: Client, row: Conversation) -> str:
    return client.get(url("talk", row)).content.decode()


def heard(row: Conversation, text: str, **more: Any) -> Message:
    fields = {"robot": row.robot, "room": row.room, "conversation": row, "sender_name": row.sender_name}
    return Message.objects.create(direction="in", text=text, received_at=now(), **fields, **more)


def test_text_and_picture_are_queued_as_a_colleagues(operator: Client, conversation: Conversation) -> None:
    picture = SimpleUploadedFile("价目表.png", samples.PNG, "image/png")
    told = say(operator, conversation, text="见图", file=picture, mention="on")
    assert told["ok"], told
    text, file = Command.objects.order_by("seq")
    assert (text.priority, text.requested_by, text.payload["atList"]) == (Priority.HUMAN, "someone", ["张三"])
    assert (file.kind, file.payload["objectName"][-4:]) == (218, ".png")
    assert "/files/" in file.payload["fileUrl"]
    shown = lines(operator, conversation)
    assert "见图" in shown
    assert "价目表.png" in shown
    assert "written by someone" in shown


def test_what_is_wrong_is_said_with_the_way_out(operator: Client, conversation: Conversation, robot: Robot) -> None:
    webp = SimpleUploadedFile("图.png", samples.WEBP, "image/png")
    refused = {
        "nothing to send": say(operator, conversation, text=" "),
        "WebP": say(operator, conversation, text="见图", file=webp),
        "at most 2000": say(operator, conversation, text="长" * 2001),
    }
    Robot.objects.update(mode=Mode.SHADOW)
    refused["set the robot to automatic"] = say(operator, conversation, text="我来")
    for words, told in refused.items():
        assert not told["ok"]
        assert words in told["text"]
    assert not Command.objects.exists()


def test_pressing_twice_sends_once(operator: Client, conversation: Conversation) -> None:
    send_id = str(uuid7())
    for _ in range(2):
        assert say(operator, conversation, text="我来", send_id=send_id)["ok"]
    assert Command.objects.count() == 1


def test_both_sides_are_shown_with_how_they_stand(
    operator: Client, conversation: Conversation, simulator: SimulatorClient
) -> None:
    heard(conversation, "第一句 <b>急</b>", reason="handed_over", settled_at=now())
    heard(conversation, "第二句")
    say(operator, conversation, text="马上查")
    assert "queued" in lines(operator, conversation)
    outbox.drain()
    shown = lines(operator, conversation)
    assert "accepted by the platform" in shown
    assert "in hand" in shown
    assert "第一句 &lt;b&gt;急&lt;/b&gt;" in shown
    assert shown.index("第一句") < shown.index("第二句") < shown.index("马上查")


def test_a_failed_one_says_why(operator: Client, conversation: Conversation, queue: Queue) -> None:
    command = queue("发不出去")
    Command.objects.filter(pk=command.pk).update(state="failed", error_code=201101, error_reason="查找聊天窗失败")
    shown = lines(operator, conversation)
    assert "201101" in shown
    assert "查找聊天窗失败" in shown


def test_taking_over_and_giving_back_stand_beside_it(operator: Client, conversation: Conversation) -> None:
    for owner in (Owner.HUMAN, Owner.ROBOT):
        assert f'value="{owner}"' in lines(operator, conversation)
        operator.post(url("owner", conversation), {"owner": owner}, headers=AS_JSON)
        conversation.refresh_from_db()
        assert conversation.owner == owner


def test_a_stop_of_sending_is_told(operator: Client, conversation: Conversation) -> None:
    switches.stop(SwitchScope.ROOM, "演练", "王五", robot=conversation.robot, room=conversation.room)
    shown = lines(operator, conversation)
    assert "演练" in shown
    assert "王五" in shown


def test_without_its_script_the_page_comes_again(operator: Client, conversation: Conversation) -> None:
    page = operator.get(url("change", conversation)).content.decode()
    assert 'name="send_id"' in page
    answer = operator.post(url("answer", conversation), {"send_id": str(uuid7()), "text": "我来"}, follow=True)
    assert "Queued." in answer.content.decode()
    assert Command.objects.get().text == "我来"


def test_only_who_may_answer_does(conversation: Conversation) -> None:
    viewer = signed_in(username="viewer", role=Role.VIEWER)
    elsewhere = signed_in(
        username="elsewhere", role=Role.OPERATOR, scope_kind=ScopeKind.ROBOTS, scope_values=["another"]
    )
    body = {"send_id": str(uuid7()), "text": "我来"}
    for client, status in ((viewer, 403), (elsewhere, 404)):
        for what in ("talk", "answer", "owner"):
            answer = (
                client.get(url(what, conversation)) if what == "talk" else client.post(url(what, conversation), body)
            )
            assert answer.status_code == status, (what, status)
    assert not Command.objects.exists()
