"""The kill switch: what leaves after somebody has stopped sending, what is cleared, and what stays unanswered."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import connection, connections, transaction
from django.urls import reverse

from robots import outbox, outbox_claim, switches, transitions
from robots.inbound.store import store_batch
from robots.models import Command, Conversation, Message, Mode, Robot, Switch
from robots.pump import Pump
from robots.services import create_robot
from robots.simulator.testing import SimulatorClient
from robots.stream import Callback
from robots.tasks import poll_outbox
from tests.robots.inbound.builders import callback, line
from tests.robots.outbound.conftest import Queue, ago, conversation_in, queue_command, state_of
from tests.robots.outbound.test_admin import page, signed_in
from tests.robots.outbound.test_withdrawal import accepted, answered_line, reason_of
from worktool_ai.accounts.models import AuditEntry, Role, ScopeKind
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7


@pytest.fixture(autouse=True)
def fresh_copy() -> None:
    switches.forget()


def stop(scope: str = "all", **where: Any) -> Switch:
    return switches.stop(scope, "价格写错了", "王五", **where)


def kinds(simulator: SimulatorClient) -> list[int]:
    return [command["type"] for entry in simulator.sends() for command in entry["commands"]]


def where_of(scope: str, conversation: Conversation) -> dict[str, Any]:
    where: dict[str, dict[str, Any]] = {
        "all": {},
        "robot": {"robot": conversation.robot},
        "room": {"robot": conversation.robot, "room": conversation.room},
    }
    return where[scope]


@pytest.mark.parametrize("scope", ["all", "robot", "room"])
def test_the_queue_is_withdrawn_and_nothing_new_leaves(
    queue: Queue, conversation: Conversation, simulator: SimulatorClient, scope: str
) -> None:
    run = uuid7()
    answered = answered_line(conversation, run)
    before = queue("错的价格", run_id=run)
    row = stop(scope, **where_of(scope, conversation))
    after = queue("又一个错的价格")
    poll_outbox()
    assert [state_of(before), state_of(after)] == ["withdrawn", "withdrawn"]
    assert reason_of(answered) == "withdrawn"
    assert (row.withdrawn, 203 in kinds(simulator)) == (1, False)
    before.refresh_from_db()
    after.refresh_from_db()
    assert "王五" in before.error_reason
    assert after.error_reason
    entry = AuditEntry.objects.get(action="sending.stop")
    assert (entry.actor_name, entry.after["why"], entry.after["queued"]) == ("王五", "价格写错了", 1)


def test_it_holds_also_when_its_process_ends_before_the_queue_is_withdrawn(
    queue: Queue, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = queue("错的价格")
    monkeypatch.setattr(transitions, "withdraw", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stop()
    poll_outbox()
    simulator.wait_for(lambda: kinds(simulator) == [304])
    assert state_of(command) == "withdrawn"


@pytest.mark.parametrize(("scope", "kind"), [("all", 304), ("robot", 304), ("room", 305)])
def test_the_phones_queue_is_cleared(
    queue: Queue, conversation: Conversation, simulator: SimulatorClient, scope: str, kind: int
) -> None:
    simulator.faults({"kind": "offline"})
    there, elsewhere = queue("错的价格"), queue("别处的话", room="别的群")
    outbox.drain()
    stop(scope, **where_of(scope, conversation))
    outbox.drain()
    assert kinds(simulator)[-1] == kind
    Command.objects.filter(kind=203).update(accepted_at=ago(5))
    Command.objects.filter(kind=kind).update(accepted_at=ago(3))
    poll_outbox()
    assert state_of(there) == "withdrawn_unconfirmed"
    simulator.faults()
    if scope == "room":
        simulator.wait_for(lambda: simulator.transcript("别的群"))
    else:
        assert state_of(elsewhere) == "withdrawn_unconfirmed"
    assert simulator.transcript("客服群") == []


def test_what_is_elsewhere_goes_on(queue: Queue, conversation: Conversation, simulator: SimulatorClient) -> None:
    other = create_robot(slug="other", name="二号", robot_id="wt-other", mode=Mode.AUTOMATIC, actor="test")
    stop("room", **where_of("room", conversation))
    here, elsewhere = queue("不说"), queue("照说", room="别的群")
    same_name = queue_command(conversation_in(other, "客服群"), "另一台照说")
    outbox.drain()
    assert [state_of(one) for one in (here, elsewhere, same_name)] == ["withdrawn", "accepted", "accepted"]


def test_a_call_that_was_on_its_way_is_cancelled_once_it_has_been_accepted(
    queue: Queue, simulator: SimulatorClient
) -> None:
    command = queue("正在发")
    Command.objects.filter(pk=command.pk).update(state="sending", sending_at=now(), sender="p", attempts=1)
    stop()
    outbox.drain()
    accepted(command, "in hand", accepted_at=now() + timedelta(seconds=1))
    poll_outbox()
    poll_outbox()
    assert [one.kind for one in Command.objects.filter(cancels=command)] == [305]


def test_a_claimed_command_that_has_not_left_goes_back(
    queue: Queue, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim was committed just before the stop; its process reads the stop before it calls."""
    command = queue("差一点")

    def stop_once(point: str) -> None:
        if point == "outbox.after_mark" and not Switch.objects.exists():
            stop()

    monkeypatch.setattr(outbox, "reach", stop_once)
    outbox.drain()
    monkeypatch.undo()
    Command.objects.filter(pk=command.pk).update(not_before=None)
    poll_outbox()
    assert state_of(command) == "withdrawn"
    assert 203 not in kinds(simulator)


def test_after_the_click_nothing_leaves_but_what_is_in_hand(
    robot: Robot, simulator: SimulatorClient, settings: Any
) -> None:
    """Three senders at full speed; the platform's ledger is the judge (``make accept ROW=stop`` takes the time)."""
    commands = [queue_command(conversation_in(robot, f"群{number}"), f"第{number}句") for number in range(720)]
    settings.WORKTOOL_REQUEST_LIMIT = 100_000
    pumps = [Pump(outbox._round) for _ in range(3)]
    over = threading.Event()

    def send(pump: Pump) -> None:
        while not over.is_set():
            if not pump.run():
                over.wait(0.05)
        connections.close_all()

    threads = [threading.Thread(target=send, args=(pump,)) for pump in pumps]
    for thread in threads:
        thread.start()
    try:
        simulator.wait_for(lambda: len(simulator.sends()) >= 20)
        stop()
        clicked = now()
        in_hand = set(Command.objects.filter(attempts__gt=0).values_list("text", flat=True))
        late = [queue_command(conversation_in(robot, f"晚{number}"), f"晚{number}") for number in range(20)]
        simulator.wait_for(lambda: 304 in kinds(simulator))
        simulator.wait_for(lambda: not Command.objects.filter(state__in=["queued", "sending"], kind=203).exists())
    finally:
        over.set()
        for thread in threads:
            thread.join()
    entries = [entry for entry in simulator.sends() if entry["commands"][0]["type"] == 203]
    after = [entry for entry in entries if datetime.fromisoformat(entry["at"]) > clicked]
    assert {entry["commands"][0]["receivedContent"] for entry in after} <= in_hand
    assert {state_of(one) for one in late} == {"withdrawn"}
    assert len(entries) < len(commands)


def test_resuming_answers_nothing_old(queue: Queue, conversation: Conversation, simulator: SimulatorClient) -> None:
    old_run = uuid7()
    row = stop()
    meanwhile = queue("停的时候排的")
    assert switches.resume(row.pk, "王五")
    assert not switches.resume(row.pk, "赵六")
    late = queue("旧问题的答复", run_id=old_run)
    Command.objects.filter(pk=late.pk).update(created_at=now() + timedelta(seconds=1))
    fresh = queue("新问题的答复", room="别的群", run_id=uuid7(), created_at=now() + timedelta(seconds=1))
    poll_outbox()
    assert [state_of(one) for one in (meanwhile, late)] == ["withdrawn", "withdrawn"]
    assert state_of(fresh) in ("accepted", "done")


def test_a_304_that_has_not_left_is_dropped_on_resuming(queue: Queue, simulator: SimulatorClient) -> None:
    row = stop()
    switches.resume(row.pk, "王五")
    outbox.drain()
    assert kinds(simulator) == []
    assert Command.objects.get(kind=304).state == "withdrawn"


def said(robot: Robot, text: str, group: str, at: datetime) -> Callback:
    return replace(callback(robot.pk, line(text, groupName=group)), received_at=at)


def test_lines_are_stored_with_the_reason_and_start_no_run(robot: Robot, conversation: Conversation) -> None:
    row = stop("room", **where_of("room", conversation))
    with transaction.atomic():
        batch = store_batch([said(robot, "停的时候问的", "客服群", now()), said(robot, "别处问的", "别的群", now())])
    assert [one.text for one in batch.lines] == ["别处问的"]
    assert Message.objects.get(text="停的时候问的").reason == "stopped_by_switch"
    asked = now()
    switches.resume(row.pk, "王五")
    with transaction.atomic():
        assert store_batch([said(robot, "路上耽搁的", "客服群", asked)]).lines == []
        assert store_batch([said(robot, "之后问的", "客服群", now())]).lines


def test_one_stop_at_a_time(robot: Robot, conversation: Conversation) -> None:
    first = stop("robot", robot=robot)
    with pytest.raises(switches.AlreadyStopped) as refused:
        stop("robot", robot=robot)
    assert refused.value.switch == first
    stop("all")
    assert {one.scope for one in switches.in_force_for(robot, conversation.room)} == {"robot", "all"}
    switches.resume(first.pk, "王五")
    assert stop("robot", robot=robot).pk != first.pk


def test_closing_says_what_stopped_it(queue: Queue, robot: Robot) -> None:
    """Also for robots that do not send themselves, whose queue nobody claims from."""
    command = queue()
    Robot.objects.update(is_active=False)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO robots_switch (id, scope, why, since, set_by, withdrawn, lifted_by)"
            " VALUES (gen_random_uuid(), 'all', '试', now(), '别的进程', 0, '')"
        )
    with transaction.atomic():
        assert outbox_claim.close_overdue() == 1
    assert state_of(command) == "withdrawn"


def test_the_button_its_page_and_the_pages_of_robot_and_room(queue: Queue, conversation: Conversation) -> None:
    owner, command = signed_in(), queue("错的价格")
    board = reverse("admin:robots_switch_changelist")
    assert "STOP ALL SENDING" in owner.get(board).content.decode()
    assert "Say why" in owner.post(reverse("admin:robots_stop_all"), {"why": " "}, follow=True).content.decode()
    assert not Switch.objects.exists()
    told = owner.post(reverse("admin:robots_stop_all"), {"why": "价格写错了"}, follow=True).content.decode()
    assert "1 commands were withdrawn" in told
    assert "价格写错了" in told
    assert state_of(command) == "withdrawn"
    row = Switch.objects.get()
    assert "Already stopped" in page(owner, "robots_room_change", conversation.room_id)
    assert "show them" in page(owner, "robots_switch_change", row.pk)
    owner.post(reverse("admin:robots_switch_resume", args=[row.pk]), {"_form_submitted": "True"})
    assert not switches.in_force_for(conversation.robot).exists()
    for name, pk in (("robot", conversation.robot_id), ("room", conversation.room_id)):
        deed = reverse(f"admin:robots_{name}_stop_sending", args=[pk])
        assert "Stop sending here?" in owner.get(deed).content.decode()
        owner.post(deed, {"_form_submitted": "True", "why": "先停一下"})
    assert [one.scope for one in Switch.objects.filter(lifted_at=None).order_by("id")] == ["robot", "room"]


def test_who_may_not_stop_all(robot: Robot) -> None:
    narrow = signed_in(username="narrow", role=Role.OPERATOR, scope_kind=ScopeKind.ROBOTS, scope_values=["demo"])
    assert narrow.post(reverse("admin:robots_stop_all"), {"why": "试"}).status_code == 403
    everywhere = stop()
    shown = page(narrow, "robots_switch_changelist")
    assert "STOP ALL SENDING" not in shown
    assert "价格写错了" in shown
    lifted = narrow.post(reverse("admin:robots_switch_resume", args=[everywhere.pk]), {"_form_submitted": "True"})
    assert lifted.status_code == 404
