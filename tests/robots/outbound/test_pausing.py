"""What keeps a robot's queue: its phone is offline. What becomes of replies that could not leave in time."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.utils import translation

from robots import outbox, outbox_claim, presence
from robots.limiter import limiter
from robots.models import Command, Conversation, Direction, Message, OnlineChange, Reason, Robot, StaleReply
from robots.models.commands import Priority
from robots.simulator.testing import SimulatorClient
from robots.transitions import Change, apply
from robots.waiting import why_waiting
from tests.robots.outbound.conftest import ROOM, Queue, ago, queue_command, state_of
from tests.robots.outbound.test_equal import poll, texts
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


def test_the_queue_of_a_phone_that_is_offline_waits(
    queue: Queue, simulator: SimulatorClient, conversation: Conversation
) -> None:
    Robot.objects.update(is_online=False)
    command = queue("收到")
    clear = queue("", room="控制", kind=304, payload={"type": 304}, priority=Priority.ALERT)
    poll()
    assert (state_of(command), state_of(clear)) == ("queued", "accepted")
    conversation.room.robot.refresh_from_db()
    assert any("offline" in why for why in why_waiting(conversation.room))
    Robot.objects.update(is_online=True)
    poll()
    assert state_of(command) == "accepted"


def test_a_phone_whose_return_nobody_told_of_is_asked_about(queue: Queue, simulator: SimulatorClient) -> None:
    Robot.objects.update(is_online=False)
    command = queue("收到")
    simulator.faults({"kind": "offline"})
    assert presence.ask_paused() == 0
    simulator.faults()
    assert presence.ask_paused() == 0, "once a minute"
    limiter().not_before(f"online:{command.robot_id}", 0.001)
    simulator.wait_for(presence.ask_paused)
    poll()
    assert state_of(command) == "accepted"
    assert OnlineChange.objects.get().source == "query"


def test_nobody_is_asked_about_while_nothing_waits(robot: Robot, simulator: SimulatorClient) -> None:
    Robot.objects.update(is_online=False)
    presence.ask_paused()
    assert simulator.ledger() == []


def test_not_known_to_be_offline_is_online(queue: Queue, simulator: SimulatorClient) -> None:
    Robot.objects.update(is_online=None)
    command = queue("收到")
    poll()
    assert state_of(command) == "accepted"


def test_what_waits_for_an_offline_phone_expires(
    queue: Queue, simulator: SimulatorClient, final_commands: list[UUID]
) -> None:
    Robot.objects.update(is_online=False)
    command = queue("收到", expires_at=ago(1))
    poll()
    assert (state_of(command), final_commands) == ("expired", [command.pk])


def test_a_stale_reply_is_said_with_an_apology_where_the_robot_wants_that(
    queue: Queue, simulator: SimulatorClient
) -> None:
    Robot.objects.update(stale_reply=StaleReply.APOLOGISE, is_online=False)
    command = queue("收到", expires_at=ago(1))
    others = [queue("群发", room="乙群", expires_at=ago(1), priority=Priority.BULK)]
    poll()
    command.refresh_from_db()
    assert (command.state, command.text, command.reworded) == ("queued", "抱歉久等，收到", "apology")
    assert Message.objects.get(command=command).text == "抱歉久等，收到"
    assert [state_of(other) for other in others] == ["expired"]
    Robot.objects.update(is_online=True)
    poll()
    assert texts(simulator) == ["抱歉久等，收到"]


def test_an_apology_is_made_once(queue: Queue, simulator: SimulatorClient) -> None:
    Robot.objects.update(stale_reply=StaleReply.APOLOGISE, is_online=False)
    command = queue("收到", expires_at=ago(1))
    poll()
    Command.objects.update(expires_at=ago(1))
    poll()
    assert (state_of(command), texts(simulator)) == ("expired", [])


def test_nothing_stale_leaves_before_its_apology_was_added(queue: Queue, simulator: SimulatorClient) -> None:
    Robot.objects.update(stale_reply=StaleReply.APOLOGISE)
    command = queue("收到", expires_at=ago(1))
    outbox.drain()
    with transaction.atomic():
        outbox_claim.close_overdue()
    assert (state_of(command), texts(simulator)) == ("queued", [])


def test_a_page_says_why_its_room_waits(queue: Queue, simulator: SimulatorClient, conversation: Conversation) -> None:
    room = conversation.room
    assert why_waiting(room) == []
    first = queue("在的")
    poll()
    queue("在的")
    assert any("same words" in why for why in why_waiting(room))
    Command.objects.filter(pk=first.pk).update(state="unknown")
    assert any("not known" in why for why in why_waiting(room))
    limiter().pause(30)
    assert any("429" in why for why in why_waiting(room))


def test_a_line_was_not_answered_after_all_when_what_covered_its_answer_fails(
    conversation: Conversation, final_commands: list[UUID]
) -> None:
    first = queue_command(conversation, "在的")
    Command.objects.filter(pk=first.pk).update(state="accepted", sending_at=now(), accepted_at=now())
    run = uuid4()
    second = queue_command(conversation, "在的", run_id=run, expires_at=ago(0))
    line = Message.objects.create(
        id=uuid7(), robot=conversation.robot, room=conversation.room, conversation=conversation, sender_name="张三",
        direction=Direction.IN, text="在吗", received_at=now(), run_id=run, reason=Reason.ANSWERED, settled_at=now(),
    )  # fmt: skip
    with transaction.atomic():
        outbox_claim.close_overdue()
    assert (state_of(second), conversation.room.address) == ("covered", ROOM)
    with transaction.atomic():
        apply([Change(id=first.pk, was=("accepted",), state="failed", error_code=201102)])
    line.refresh_from_db()
    assert line.reason == Reason.SEND_FAILED
