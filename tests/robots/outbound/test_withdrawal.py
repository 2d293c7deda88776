"""Taking over: what was queued is withdrawn at once, what the platform has accepted is cancelled there."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_django.fixtures import Settings

from robots import outbox, services, withdrawal
from robots.models import Command, Conversation, Direction, Message, Robot
from robots.simulator.testing import SimulatorClient
from robots.tasks import poll_outbox
from tests.robots.outbound.conftest import Queue, ago, state_of
from tests.robots.outbound.test_results import record, result
from worktool_ai.events.models import EventBatch
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7


def answered_line(conversation: Conversation, run_id: UUID, reason: str = "answered") -> Message:
    return Message.objects.create(
        robot=conversation.robot,
        room=conversation.room,
        conversation=conversation,
        direction=Direction.IN,
        sender_name=conversation.sender_name,
        text="如何退款？",
        received_at=now(),
        run_id=run_id,
        reason=reason,
        settled_at=now(),
    )


def reason_of(line: Message) -> str:
    return Message.objects.values_list("reason", flat=True).get(pk=line.pk)


def accepted(command: Command, platform_id: str = "plat-1", **fields: Any) -> Command:
    values = {"state": "accepted", "platform_id": platform_id, "sending_at": now(), "accepted_at": now(), **fields}
    Command.objects.filter(pk=command.pk).update(**values)
    command.refresh_from_db()
    return command


def control_of(command: Command) -> Command | None:
    return Command.objects.filter(cancels=command).first()


def test_the_queue_is_withdrawn_with_its_line_in_the_take_over_itself(
    queue: Queue, conversation: Conversation, final_commands: list[UUID]
) -> None:
    run = uuid7()
    line, other = answered_line(conversation, run), answered_line(conversation, uuid7())
    command, elsewhere = queue("机器人的话", run_id=run), queue("别处的话", room="别的群")
    services.take_over(conversation.pk, "王五")
    assert (state_of(command), state_of(elsewhere)) == ("withdrawn", "queued")
    assert final_commands == [command.pk]
    assert (reason_of(line), reason_of(other)) == ("withdrawn", "answered")
    command.refresh_from_db()
    assert "王五" in command.error_reason
    told = [event for batch in EventBatch.objects.all() for event in batch.items]
    assert {event["messageId"] for event in told} == {str(command.message_id), str(line.pk)}
    assert Command.objects.filter(kind=305).count() == 0


def test_again_changes_nothing(queue: Queue, conversation: Conversation) -> None:
    first = services.take_over(conversation.pk, "王五")
    again = services.take_over(conversation.pk, "赵六")
    assert (again.owner_epoch, again.owner_set_by, again.owner_since) == (1, "王五", first.owner_since)


def test_what_the_platform_has_accepted_is_cancelled_there_once(
    queue: Queue, conversation: Conversation, simulator: SimulatorClient
) -> None:
    simulator.faults({"kind": "offline"})
    run = uuid7()
    line = answered_line(conversation, run)
    command = queue("机器人的话", run_id=run)
    outbox.drain()
    assert state_of(command) == "accepted"
    services.take_over(conversation.pk, "王五")
    control = control_of(command)
    assert control is not None
    assert (control.kind, control.priority, control.requested_by) == (305, 0, "王五")
    services.give_back(conversation.pk, "王五")
    services.take_over(conversation.pk, "王五")
    poll_outbox()
    sent = [one for entry in simulator.sends() for one in entry["commands"]]
    assert [one["type"] for one in sent] == [203, 305]
    command.refresh_from_db()
    assert sent[-1]["originalContent"] == command.platform_id
    Command.objects.filter(pk=control.pk).update(accepted_at=ago(5))
    poll_outbox()
    assert state_of(command) == "withdrawn_unconfirmed"
    assert reason_of(line) == "withdrawn"
    simulator.faults()
    assert simulator.transcript("客服群") == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": 206}, "a deed is not undone"),
        ({"platform_id": ""}, "without an id it cannot be named"),
        ({"owner_epoch": None}, "not the robot's"),
        ({"accepted_at": now() - timedelta(hours=2)}, "long over"),
        ({"state": "done"}, "it has ended"),
    ],
)
def test_what_is_not_cancelled(queue: Queue, conversation: Conversation, change: dict[str, Any], why: str) -> None:
    command = accepted(queue("机器人的话"), **change)
    services.take_over(conversation.pk, "王五")
    assert control_of(command) is None, why


def test_two_commands_under_one_platform_id_are_left_alone(queue: Queue, conversation: Conversation) -> None:
    accepted(queue("这边"))
    accepted(queue("那边", room="别的群"))
    services.take_over(conversation.pk, "王五")
    assert not Command.objects.filter(kind=305).exists()


def test_a_call_that_was_on_its_way_is_cancelled_when_it_has_been_accepted(
    queue: Queue, conversation: Conversation, settings: Settings
) -> None:
    settings.WORKTOOL_REQUEST_LIMIT = 0
    command = queue("机器人的话")
    Command.objects.filter(pk=command.pk).update(state="sending", sending_at=now())
    services.take_over(conversation.pk, "王五")
    poll_outbox()
    assert control_of(command) is None
    accepted(command)
    poll_outbox()
    poll_outbox()
    assert Command.objects.filter(cancels=command).count() == 1


Cancelled = Callable[..., tuple[Command, Command, Message]]


@pytest.fixture
def cancelled(queue: Queue, conversation: Conversation, settings: Settings) -> Cancelled:
    settings.WORKTOOL_REQUEST_LIMIT = 0  # the tests say themselves what became of the 305

    def make(state: str = "accepted", **fields: Any) -> tuple[Command, Command, Message]:
        run = uuid7()
        line = answered_line(conversation, run)
        command = accepted(queue("机器人的话", run_id=run))
        services.take_over(conversation.pk, "王五")
        control = control_of(command)
        assert control is not None
        fate(control, state, **fields)
        return command, control, line

    return make


def fate(control: Command, state: str, **fields: Any) -> None:
    values = {"state": state, "sending_at": ago(9), "accepted_at": ago(9), **fields}
    Command.objects.filter(pk=control.pk).update(**values)
    poll_outbox()


@pytest.mark.parametrize("state", ["failed", "expired", "unknown", "not_accepted"])
def test_a_305_that_did_not_work_leaves_the_command_as_it_is(cancelled: Cancelled, state: str) -> None:
    command, _control, line = cancelled(state)
    assert state_of(command) == "accepted"
    assert reason_of(line) == "answered"


def test_its_own_result_is_waited_for_a_moment(cancelled: Cancelled) -> None:
    command, control, _line = cancelled("accepted", accepted_at=now() + timedelta(seconds=60))
    assert state_of(command) == "accepted"
    fate(control, "done")
    assert state_of(command) == "withdrawn_unconfirmed"


def test_a_late_failure_of_the_305_is_believed(cancelled: Cancelled) -> None:
    command, control, line = cancelled()
    command.refresh_from_db()
    assert (command.state, reason_of(line)) == ("withdrawn_unconfirmed", "withdrawn")
    assert command.final_at
    fate(control, "failed")
    command.refresh_from_db()
    assert (state_of(command), reason_of(line)) == ("accepted", "answered")
    assert not command.final_at


@pytest.mark.parametrize(
    ("told", "state", "reason"),
    [
        ({"error_code": 0}, "done", "answered"),
        ({"error_code": 0, "fail_list": ["客服群"]}, "partial", "answered"),
        ({"error_code": 201101}, "failed", "send_failed"),
    ],
)
def test_a_result_is_better_evidence_than_a_cancellation(
    cancelled: Cancelled, robot: Robot, told: dict[str, Any], state: str, reason: str
) -> None:
    command, _control, line = cancelled()
    assert state_of(command) == "withdrawn_unconfirmed"
    record(result(robot, command.platform_id, **told))
    assert state_of(command) == state
    poll_outbox()
    assert reason_of(line) == reason
    poll_outbox()
    assert (state_of(command), reason_of(line)) == (state, reason)


def test_the_phone_that_was_too_quick_says_so(
    queue: Queue, conversation: Conversation, simulator: SimulatorClient
) -> None:
    command = queue("机器人的话")
    outbox.drain()
    deadline = time.monotonic() + 10
    while not simulator.transcript("客服群") and time.monotonic() < deadline:
        time.sleep(0.02)
    services.take_over(conversation.pk, "王五")
    outbox.drain()
    control = control_of(command)
    assert control is not None
    assert state_of(control) == "accepted"
    record(result(conversation.robot, Command.objects.get(pk=control.pk).platform_id, error_code=201104))
    withdrawal.follow()
    assert (state_of(control), state_of(command)) == ("failed", "accepted")
