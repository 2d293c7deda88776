"""What leaves, in which order, how often, and what is noted about it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from robots import outbox, outbox_claim, outcomes, services
from robots.limiter import limiter
from robots.models import Command, Conversation, Message, Mode, Robot
from robots.models.commands import Priority
from robots.simulator.testing import SimulatorClient
from tests.robots.outbound.conftest import Queue, ago, conversation_in, queue_command, state_of
from worktool_ai.events.models import EventBatch
from worktool_ai.lib.clock import now


def texts(simulator: SimulatorClient) -> list[str]:
    return [entry["commands"][0]["receivedContent"] for entry in simulator.sends()]


def events(kind: str) -> list[dict[str, Any]]:
    return [item for batch in EventBatch.objects.order_by("id") for item in batch.items if item["type"] == kind]


def test_a_command_is_sent_once_and_keeps_both_ids(queue: Queue, simulator: SimulatorClient) -> None:
    command = queue("收到，马上查")

    assert outbox.drain() == 1
    assert outbox.drain() == 0

    (entry,) = simulator.sends()
    command.refresh_from_db()
    assert (command.state, command.platform_id, command.attempts) == ("accepted", entry["messageId"], 1)
    assert command.accepted_at
    assert entry["commands"][0]["titleList"] == ["客服群"]


def test_the_outbound_line_and_its_events(queue: Queue, simulator: SimulatorClient, robot: Robot) -> None:
    command = queue("收到，马上查")
    line = Message.objects.get(direction="out")
    assert (line.command, line.text, line.sender_name, line.reason, line.settled_at) == (
        command,
        "收到，马上查",
        robot.name,
        "",
        None,
    )

    outbox.drain()

    (sent,) = events("command_sent")
    (said,) = events("message_sent")
    assert sent["robot"] == "demo"
    assert sent["data"]["sendId"] == str(command.pk)
    assert sent["data"]["messageId"] == simulator.sends()[0]["messageId"]
    assert said["data"] | {"timestamp": ""} == {
        "sendId": str(command.pk),
        "sessionId": str(command.conversation_id),
        "messageId": str(line.pk),
        "robotId": "demo",
        "userName": "张三",
        "groupName": "客服群",
        "content": "收到，马上查",
        "timestamp": "",
        "status": "sent",
        "state": "accepted",
    }


def test_commands_of_one_room_leave_in_order_whatever_their_priority(queue: Queue, simulator: SimulatorClient) -> None:
    queue("一", priority=Priority.BULK)
    queue("二", priority=Priority.ALERT)
    queue("三")
    outbox.drain()
    assert texts(simulator) == ["一", "二", "三"]


def test_rooms_go_by_priority(queue: Queue, simulator: SimulatorClient, settings: Settings) -> None:
    settings.WORKTOOL_REQUEST_LIMIT = 1
    queue("群发", room="甲群", priority=Priority.BULK)
    queue("回答", room="乙群")
    queue("告警", room="丙群", priority=Priority.ALERT)
    assert outbox.drain() == 1
    assert texts(simulator) == ["告警"]


@pytest.mark.parametrize("state", ["queued", "sending", "unknown"])
def test_an_open_command_holds_its_room_only(queue: Queue, simulator: SimulatorClient, state: str) -> None:
    first = queue("一")
    Command.objects.filter(pk=first.pk).update(
        state=state, sending_at=ago(20), sender="another", not_before=now() + timedelta(minutes=1)
    )
    queue("二")
    queue("别的群", room="乙群")
    outbox.drain()
    assert texts(simulator) == ["别的群"]


def test_an_unknown_command_holds_its_room_for_two_minutes(queue: Queue, simulator: SimulatorClient) -> None:
    first = queue("一")
    Command.objects.filter(pk=first.pk).update(state="unknown", sending_at=ago(121), sender="another")
    queue("二")
    outbox.drain()
    assert texts(simulator) == ["二"]
    assert state_of(first) == "unknown"


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.ASSIST])
def test_a_robot_that_is_not_automatic_only_drafts(
    conversation: Conversation, simulator: SimulatorClient, mode: str
) -> None:
    services.set_mode(conversation.robot, mode, "test")
    command = queue_command(conversation, "草稿")
    assert command.state == "draft"
    assert command.message is not None
    services.set_mode(conversation.robot, Mode.AUTOMATIC, "test")
    assert outbox.drain() == 0
    assert simulator.sends() == []


def test_nothing_leaves_for_a_robot_that_is_switched_off(queue: Queue, simulator: SimulatorClient) -> None:
    command = queue()
    Robot.objects.update(is_active=False)
    assert outbox.drain() == 0
    Command.objects.update(expires_at=ago(1))
    with transaction.atomic():
        assert outbox_claim.close_overdue() == 1
    assert state_of(command) == "expired"


def test_a_stale_command_expires_and_is_told(
    queue: Queue, simulator: SimulatorClient, final_commands: list[UUID]
) -> None:
    stale = queue("太晚了", expires_at=ago(1))
    fresh = queue("还新鲜")
    outbox.drain()
    assert texts(simulator) == ["还新鲜"]
    assert state_of(stale) == "expired"
    assert final_commands == [stale.pk]
    assert state_of(fresh) == "accepted"
    (told,) = events("command_result")
    assert (told["data"]["status"], told["data"]["state"]) == ("failed", "expired")


def test_a_command_made_before_a_take_over_is_withdrawn(
    queue: Queue, simulator: SimulatorClient, final_commands: list[UUID], conversation: Conversation
) -> None:
    command = queue("机器人的话")
    services.take_over(conversation.pk, "test")
    outbox.drain()
    assert simulator.sends() == []
    assert state_of(command) == "withdrawn"
    assert final_commands == [command.pk]
    services.give_back(conversation.pk, "test")
    conversation.refresh_from_db()
    assert conversation.owner_epoch == 2
    queue_command(conversation, "又轮到机器人")
    outbox.drain()
    assert texts(simulator) == ["又轮到机器人"]


def test_claimers_take_disjoint_commands(queue: Queue, simulator: SimulatorClient) -> None:
    for number in range(40):
        queue(f"第{number}条", room=f"群{number}")
    threads = [threading.Thread(target=outbox.drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(texts(simulator)) == sorted(f"第{number}条" for number in range(40))
    assert set(Command.objects.values_list("state", "attempts")) == {("accepted", 1)}


def test_never_more_than_the_limit(queue: Queue, simulator: SimulatorClient, settings: Settings) -> None:
    settings.WORKTOOL_REQUEST_LIMIT, settings.WORKTOOL_REQUEST_RESERVE = 3, 0
    for number in range(5):
        queue(f"第{number}条", room=f"群{number}", kind=207)
    outbox.drain()
    assert len(simulator.sends()) == 3
    assert Command.objects.filter(state="queued", attempts=0).count() == 2


def test_unused_leave_is_given_back(queue: Queue, simulator: SimulatorClient) -> None:
    queue("太晚了", expires_at=ago(1))
    outbox.drain()
    assert limiter().used() == 0


# -- how a call can end ------------------------------------------------------------------------------------------------


def test_no_connection_means_queued_again_a_little_later(queue: Queue, settings: Settings) -> None:
    settings.WORKTOOL_BASE_URL = "http://127.0.0.1:9"
    command = queue()
    outbox.drain()
    command.refresh_from_db()
    assert (command.state, command.attempts) == ("queued", 1)
    assert command.not_before
    assert command.not_before > now()
    assert outbox.drain() == 0


def test_a_refusal_fails_with_the_platforms_code(
    queue: Queue, simulator: SimulatorClient, final_commands: list[UUID]
) -> None:
    command = queue(payload={"type": 203, "titleList": [], "receivedContent": "没有目标"})
    outbox.drain()
    command.refresh_from_db()
    assert (command.state, command.error_code) == ("failed", 101011)
    assert "titleList" in command.error_reason
    assert final_commands == [command.pk]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after"])
def test_no_answer_is_unknown_and_never_repeated(
    queue: Queue, simulator: SimulatorClient, final_commands: list[UUID], fault: str
) -> None:
    simulator.faults({"kind": fault})
    command = queue()
    outbox.drain()
    assert state_of(command) == "unknown"
    simulator.faults()
    assert outbox.drain() == 0
    assert len([entry for entry in simulator.ledger() if entry["method"] == "POST"]) == 1
    assert final_commands == []


def test_a_server_error_is_unknown(queue: Queue, simulator: SimulatorClient) -> None:
    simulator.faults({"kind": "http_status", "value": 502})
    command = queue()
    outbox.drain()
    assert state_of(command) == "unknown"


def test_a_429_queues_again_and_stops_everybody(queue: Queue, simulator: SimulatorClient) -> None:
    simulator.faults({"kind": "http_status", "value": 429, "room": "客服群"})
    command = queue()
    queue("别的群", room="乙群", created_at=now())
    outbox.drain()
    assert state_of(command) == "queued"
    Command.objects.update(not_before=None)
    before = len(simulator.ledger())
    outbox.drain()
    assert len(simulator.ledger()) == before
    assert limiter().acquire(1).retry_after_s > 30


def test_a_process_that_was_stopped_on_the_way_does_not_call(
    queue: Queue, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FREEZE_S", -1.0)
    command = queue()
    outbox.drain()
    assert simulator.sends() == []
    assert state_of(command) == "queued"


def test_a_late_answer_is_believed_but_not_over_a_decision(queue: Queue, simulator: SimulatorClient) -> None:
    """Meanwhile called unknown: the answer counts. Meanwhile decided otherwise: it does not."""
    believed, overruled = queue("一"), queue("二", room="乙群")
    done = threading.Thread(target=outbox.drain)
    simulator.faults({"kind": "hold_after_accept", "seconds": 1.5})
    done.start()
    simulator.wait_for(lambda: len([e for e in simulator.ledger() if e["messageId"]]) == 2)
    Command.objects.filter(pk=believed.pk).update(state="unknown")
    Command.objects.filter(pk=overruled.pk).update(state="not_accepted", final_at=now())
    done.join()
    assert state_of(believed) == "accepted"
    assert state_of(overruled) == "not_accepted"
    assert [event["data"]["sendId"] for event in events("command_sent")] == [str(believed.pk)]
    assert [event["data"]["sendId"] for event in events("message_sent")] == [str(believed.pk)]


def test_a_slow_call_does_not_keep_other_rooms_waiting(queue: Queue, simulator: SimulatorClient) -> None:
    simulator.faults({"kind": "hold_before_accept", "seconds": 2.0, "room": "慢群"})
    slow, _, last = queue("慢", room="慢群"), queue("一", room="快群"), queue("二", room="快群")
    first = threading.Thread(target=outbox.drain)
    first.start()
    simulator.wait_for(lambda: state_of(last) == "accepted")
    assert state_of(slow) == "sending"
    first.join()
    assert state_of(slow) == "accepted"


def test_what_follows_leaves_at_the_answer_while_that_is_still_being_written(
    queue: Queue, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, write = queue("一"), queue("二"), outcomes._write
    then: list[str] = []

    def later(*batch: Any) -> Any:
        simulator.wait_for(lambda: len(simulator.sends()) == 2)
        then.append(state_of(first))
        return write(*batch)

    monkeypatch.setattr(outcomes, "_write", later)
    outbox.drain()
    assert texts(simulator) == ["一", "二"]
    assert then[0] == "sending"
    assert [state_of(first), state_of(second)] == ["accepted", "accepted"]


@pytest.mark.usefixtures("impatient")
def test_what_follows_an_unknown_does_not_leave(queue: Queue, simulator: SimulatorClient) -> None:
    simulator.faults({"kind": "timeout_before", "count": 1})
    first, second = queue("一"), queue("二")
    outbox.drain()
    assert [state_of(first), state_of(second)] == ["unknown", "queued"]


def test_a_worker_sends_what_it_has_queued_and_others_ring(
    queue: Queue, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = queue()
    assert not outbox.wake()
    monkeypatch.setattr(outbox._Process, "is_host", False)
    outbox.host()
    assert outbox.wake()
    simulator.wait_for(lambda: state_of(command) in ("accepted", "done"))
    simulator.wait_for(lambda: not outbox._pump.ring())


def test_the_robot_id_is_in_no_error(queue: Queue, settings: Settings, caplog: Any) -> None:
    settings.WORKTOOL_BASE_URL = "http://127.0.0.1:9"
    command = queue()
    outbox.drain()
    command.refresh_from_db()
    assert "wt-outbound" not in command.error_reason + caplog.text


def test_equal_rows_are_queued_once(conversation: Conversation) -> None:
    command = queue_command(conversation, "一次")
    again = Command.objects.get(pk=command.pk)
    assert again.seq == command.seq
    assert Message.objects.filter(direction="out").count() == 1


@pytest.mark.usefixtures("no_dead_rows")
def test_the_claim_uses_the_index(queue: Queue) -> None:
    queue()
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN " + outbox_claim._CANDIDATES, outbox_claim._parameters(limit=10))
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert plan.count("robots_command_open") == 3, plan  # what is queued, its number, and earlier ones of the room
    assert plan.count("robots_command_equal") == 1, plan


def test_a_robot_in_another_room_is_not_held(robot: Robot, simulator: SimulatorClient) -> None:
    """Two people in one room share its order; two rooms do not."""
    one, two = conversation_in(robot, "群", "甲"), conversation_in(robot, "群", "乙")
    queue_command(one, "甲一")
    queue_command(two, "乙一")
    queue_command(one, "甲二")
    outbox.drain()
    assert texts(simulator) == ["甲一", "乙一", "甲二"]
