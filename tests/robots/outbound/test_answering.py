"""Answers by hand: queued at once, text before file, under the owner of the moment, never twice."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from django.db.models import Max
from django.utils import translation

from robots import answering, outbox, services
from robots.answering import CannotAnswer, HandAnswer
from robots.models import Command, Conversation, Mode, Robot
from robots.models.commands import Priority
from robots.simulator.testing import SimulatorClient
from templates_lib.file_kinds import stored_file
from templates_lib.files import Upload
from templates_lib.models import Attachment
from tests.robots.outbound.conftest import ROOM
from tests.templates_lib import samples
from worktool_ai.accounts.models import AuditEntry
from worktool_ai.lib.ids import uuid7


@pytest.fixture(autouse=True)
def _local_platform(settings: Any) -> None:
    """Files of this machine can be fetched by a platform on it."""
    settings.WORKTOOL_BASE_URL = "http://127.0.0.1:9"


def picture() -> Upload:
    return Upload(stored_file("价目表.png", samples.PNG), samples.PNG)


def test_text_and_picture_leave_in_the_order_of_their_room(
    conversation: Conversation, queue: Any, simulator: SimulatorClient, live_server: Any, settings: Any
) -> None:
    settings.PUBLIC_URL = live_server.url
    queue("机器人的话")
    said = answering.answer(conversation.pk, HandAnswer(text="见图", upload=picture()), "王五")
    while outbox.drain():
        pass

    assert [(command.kind, command.priority, command.requested_by) for command in said] == [
        (203, Priority.HUMAN, "王五"),
        (218, Priority.HUMAN, "王五"),
    ]
    lines = simulator.wait_for(lambda: len(found := simulator.transcript(ROOM)) > 2 and found)
    assert [(line["textType"], line["atList"]) for line in lines] == [(1, []), (1, ["张三"]), (2, [])]
    assert [line["text"] for line in lines[:2]] == ["机器人的话", "见图"]
    assert AuditEntry.objects.get(action="conversation.answer").after["file"] == "价目表.png"


def test_the_same_send_id_queues_nothing_more(conversation: Conversation) -> None:
    said = HandAnswer(text="见图", upload=picture(), send_id=uuid7())
    first = answering.answer(conversation.pk, said, "王五")
    assert answering.answer(conversation.pk, said, "王五") == first
    assert (Command.objects.count(), Attachment.objects.count()) == (2, 1)
    elsewhere = Conversation.objects.create(robot=conversation.robot, room=conversation.room, sender_name="李四")
    with translation.override("en"), pytest.raises(CannotAnswer, match="another command"):
        answering.answer(elsewhere.pk, said, "王五")


def test_it_carries_the_owner_of_its_moment(conversation: Conversation, simulator: SimulatorClient) -> None:
    services.take_over(conversation.pk, "王五")
    (command,) = answering.answer(conversation.pk, HandAnswer(text="我来", mention=False), "王五")
    assert command.owner_epoch == 1
    assert "atList" not in command.payload
    assert outbox.drain() == 1


@pytest.mark.parametrize(("mode", "active"), [(Mode.SHADOW, True), (Mode.AUTOMATIC, False)])
def test_a_robot_that_sends_nothing_says_so(conversation: Conversation, robot: Robot, mode: str, active: bool) -> None:
    Robot.objects.update(mode=mode, is_active=active)
    with pytest.raises(CannotAnswer) as refused:
        answering.answer(conversation.pk, HandAnswer(text="我来"), "王五")
    assert refused.value.way_out
    assert Command.objects.aggregate(Max("seq"))["seq__max"] is None


def test_a_file_that_nobody_could_fetch_is_refused_at_once(conversation: Conversation) -> None:
    with (
        mock.patch.object(answering.files, "unreachable", return_value="set PUBLIC_URL"),
        pytest.raises(CannotAnswer, match="PUBLIC_URL") as refused,
    ):
        answering.answer(conversation.pk, HandAnswer(text="见图", upload=picture()), "王五")
    assert refused.value.field == "file"
    assert not Command.objects.exists()
