"""API v1: who answers whom, taking over and giving back, and what became of cancelled commands."""

from __future__ import annotations

from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from robots.models import Command, Conversation, Robot
from tests.monitoring import builders
from tests.monitoring.test_api import client_of, items
from tests.templates_lib import samples
from worktool_ai.accounts import api_keys
from worktool_ai.accounts.models import ApiKey, AuditEntry, Role
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db


@pytest.fixture
def conversation() -> Conversation:
    return builders.line(builders.robot()).conversation


def post(client: Client, conversation: Conversation, deed: str, **headers: str) -> tuple[int, dict]:
    answer = client.post(f"/api/v1/conversations/{conversation.pk}/{deed}/", headers=headers)
    return answer.status_code, answer.json()


def test_taken_over_twice_and_given_back(conversation: Conversation) -> None:
    client = client_of()
    (shown,) = items(client, "conversations")
    assert (shown["owner"], shown["ownerEpoch"], shown["ownerSince"], shown["ownerBy"]) == ("robot", 0, None, "")
    for _ in range(2):
        status, body = post(client, conversation, "take-over")
        assert (status, body["code"]) == (200, 0)
        assert (body["data"]["owner"], body["data"]["ownerEpoch"]) == ("human", 1)
    entry = AuditEntry.objects.get(action="conversation.take_over")
    (shown,) = items(client, "conversations", owner="human", robot="demo", person="张")
    assert shown["ownerBy"] == entry.actor_name
    assert shown["ownerSince"]
    status, body = post(client, conversation, "give-back")
    assert (body["data"]["owner"], body["data"]["ownerEpoch"]) == ("robot", 2)
    assert items(client, "conversations", owner="human") == []


def test_a_key_may_do_it_too_and_is_named(conversation: Conversation) -> None:
    plain = api_keys.issue(ApiKey(name="助手", role=Role.OPERATOR), builders.person(Role.OWNER))
    status, body = post(Client(), conversation, "take-over", Authorization=f"Bearer {plain}")
    assert (status, body["data"]["ownerBy"][:6]) == (200, "key:助手")


def test_who_may_not(conversation: Conversation) -> None:
    for client, expected in (
        (client_of(Role.VIEWER), 403),
        (client_of(robots=["another"]), 404),
        (Client(), 401),
    ):
        status, body = post(client, conversation, "take-over")
        assert (status, body["code"]) == (expected, expected)
        assert body["details"][0]["way_out"]
    conversation.refresh_from_db()
    assert conversation.owner == "robot"


def test_a_viewer_sees_no_names(conversation: Conversation) -> None:
    viewer = client_of(Role.VIEWER)
    (shown,) = items(viewer, "conversations")
    assert "张三" not in str(shown)
    assert viewer.get("/api/v1/conversations/", {"person": "张"}).status_code == 403


@pytest.mark.parametrize(
    ("command_state", "control_state", "told"),
    [
        ("accepted", "queued", "the platform is being told"),
        ("withdrawn_unconfirmed", "done", "Taken out of the phone's queue"),
        ("accepted", "failed", "Could not be taken back for 王五: 目标寻找失败"),
        ("accepted", "expired", "Could not be taken back"),
        ("accepted", "unknown", "nobody can say yet"),
        ("done", "done", "the phone had already done it"),
    ],
)
def test_a_command_tells_who_wanted_it_back_and_how_that_ended(
    command_state: str, control_state: str, told: str
) -> None:
    question = builders.line(builders.robot(), reason="answered", run_id=uuid7())
    said = builders.answer(question, state=command_state, platform_id="plat-77")
    Command.objects.create(
        robot=question.robot,
        kind=305,
        target="plat-77",
        payload={"type": 305},
        state=control_state,
        cancels=said.command,
        requested_by="王五",
        error_reason="目标寻找失败" if control_state == "failed" else "",
        created_at=clock.now(),
        sending_at=clock.now(),
    )
    client = client_of()
    client.cookies["django_language"] = "en"
    (shown,) = items(client, "commands", sendId=str(said.command.pk))
    assert told in shown["cancelling"]
    (control,) = items(client, "commands", messageId="")[:1]
    assert (control["cancels"], control["requestedBy"]) == (str(said.command.pk), "王五")
    page = client.get(f"/admin/robots/command/{said.command.pk}/change/").content.decode()
    assert "305" in page
    assert told.split("'")[0] in page


def said(client: Client, conversation: Conversation, **fields: object) -> tuple[int, dict]:
    """As a form does it: multipart, so that a file may come along."""
    answer = client.post(f"/api/v1/conversations/{conversation.pk}/messages/", fields)
    return answer.status_code, answer.json()


def test_an_answer_by_hand_with_a_picture(conversation: Conversation) -> None:
    Robot.objects.update(mode="automatic")
    picture = SimpleUploadedFile("价目表.png", samples.PNG)
    with mock.patch("robots.files.unreachable", return_value=""):
        status, body = said(client_of(), conversation, text="见图", file=picture)
    assert status == 201
    assert [(row["type"], row["text"], row["commandDetail"]) for row in body["data"]] == [
        (203, "见图", "queued"),
        (218, "价目表.png", "queued"),
    ]
    path = f"/api/v1/conversations/{conversation.pk}/messages/"
    assert client_of().post(path, {"text": "再说"}, content_type="application/json").status_code == 201


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "text"),
        ({"file": SimpleUploadedFile("图.png", samples.WEBP)}, "file"),
        ({"file": SimpleUploadedFile("图.png", b"")}, "file"),
        ({"text": "见图", "sendId": "6f1f3f0e-5b1c-4b0e-9b39-0d0b7a3b1d11"}, "sendId"),
        ({"text": "长" * 2001}, "text"),
    ],
)
def test_what_cannot_be_answered_names_the_field(conversation: Conversation, fields: dict, field: str) -> None:
    status, body = said(client_of(), conversation, **fields)
    assert (status, body["details"][0]["field"]) == (400, field)
    assert body["details"][0]["way_out"]
    assert not Command.objects.exists()


def test_who_may_not_answer(conversation: Conversation) -> None:
    assert said(client_of(Role.VIEWER), conversation, text="我来")[0] == 403
    assert said(client_of(robots=["another"]), conversation, text="我来")[0] == 404
    assert said(client_of(), conversation, text="我来")[0] == 409  # the robot drafts only
    assert not Command.objects.exists()
