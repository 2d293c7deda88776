"""The request limit as the platform's ledger shows it: never above, used up while work waits, control first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from robots import limiter as limits
from robots import outbox, reconcile, services
from robots.client import NoLeave, Throttled, platform
from robots.limiter import BURST_PART, limiter
from robots.models import Command, Mode, Robot
from robots.models.commands import Priority
from robots.pump import Pump
from robots.simulator.testing import SimulatorClient
from tests.robots.outbound.conftest import Queue, ago, conversation_in, queue_command, state_of
from tests.robots.outbound.test_reconcile import TIMES

WINDOW_S, LIMIT, RESERVE = 2.0, 60, 2
COMMANDS, SENDERS = 200, 4


@pytest.fixture
def tight(settings: Settings, simulator: SimulatorClient) -> None:
    """Asks for the simulator first: it sets a wide limit."""
    settings.WORKTOOL_REQUEST_WINDOW_S = WINDOW_S
    settings.WORKTOOL_REQUEST_LIMIT, settings.WORKTOOL_REQUEST_RESERVE = LIMIT, RESERVE


def times(entries: Sequence[dict[str, Any]]) -> list[float]:
    return [datetime.fromisoformat(entry["at"]).timestamp() for entry in entries]


def texts(simulator: SimulatorClient) -> list[list[str]]:
    """What each accepted request said."""
    return [[command["receivedContent"] for command in entry["commands"]] for entry in simulator.sends()]


# -- the limit on the ledger -------------------------------------------------------------------------------------------


def _send_until(done: threading.Event) -> None:
    """A sender of its own, as each worker process has one."""
    pump = Pump(outbox._round)
    while not done.wait(0.05):
        pump.run()
    connection.close()


def _query_until(robot: Robot, done: threading.Event) -> None:
    while not done.wait(0.02):
        try:
            platform().raw_msg_list(robot)
        except NoLeave:
            continue
    connection.close()


@pytest.mark.usefixtures("tight")
def test_never_above_the_limit_and_used_up_while_work_waits(robot: Robot, simulator: SimulatorClient) -> None:
    """Four senders and somebody who asks all the time; what edits groups never shares a request."""
    for number in range(COMMANDS):
        queue_command(conversation_in(robot, f"群{number}"), f"第{number}条", kind=207)
    done = threading.Event()
    threads = [threading.Thread(target=_send_until, args=[done]) for _ in range(SENDERS)]
    threads.append(threading.Thread(target=_query_until, args=[robot, done]))
    for thread in threads:
        thread.start()
    try:
        simulator.wait_for(lambda: not Command.objects.filter(state__in=["queued", "sending"]).exists(), 60)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    entries = simulator.ledger()
    stamps = times(entries)
    assert {len(entry["commands"]) for entry in simulator.sends()} == {1}
    assert any(entry["method"] == "GET" for entry in entries), "the queries took part"
    for first in stamps:
        assert sum(1 for stamp in stamps if first <= stamp < first + WINDOW_S) <= LIMIT
    busy = [stamp for stamp, entry in zip(stamps, entries, strict=True) if entry["method"] == "POST"]
    waited = busy[-1] - busy[0]
    used = sum(1 for stamp in stamps if busy[0] <= stamp < busy[-1])
    assert used >= 0.8 * LIMIT * waited / WINDOW_S


# -- what leaves first -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("tight")
def test_with_the_limit_used_up_the_next_request_is_the_alert(queue: Queue, simulator: SimulatorClient) -> None:
    while limiter().acquire(LIMIT).granted:  # a burst at a time
        time.sleep(WINDOW_S * BURST_PART)
    for number, priority in enumerate((Priority.BULK, Priority.REPLY, Priority.HUMAN)):
        queue(f"第{number}条", room=f"群{number}", priority=priority, kind=207)
    alert = queue("有客户投诉", room="值班群", priority=Priority.ALERT)
    outbox.drain()
    assert texts(simulator)[0] == ["有客户投诉"]
    assert state_of(alert) == "accepted"


def test_alert_colleague_reply_bulk(queue: Queue, simulator: SimulatorClient, settings: Settings) -> None:
    settings.WORKTOOL_REQUEST_WINDOW_S, settings.WORKTOOL_REQUEST_LIMIT = 0.2, 1
    said = {Priority.BULK: "群发", Priority.REPLY: "回答", Priority.HUMAN: "同事", Priority.ALERT: "告警"}
    for priority, text in said.items():
        queue(text, room=f"{text}群", priority=priority, kind=207)
    simulator.wait_for(lambda: outbox.drain() == 0 and len(simulator.sends()) == len(said))
    assert texts(simulator) == [["告警"], ["同事"], ["回答"], ["群发"]]


def test_after_a_429_only_control_leaves_for_the_stated_pause(
    queue: Queue, simulator: SimulatorClient, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PAUSE_S", 1.5)
    simulator.faults({"kind": "http_status", "value": 429, "count": 1})
    with pytest.raises(Throttled):
        platform().raw_msg_list(robot)
    queue("回答")
    alert = queue("告警", room="值班群", priority=Priority.ALERT)
    outbox.drain()
    with pytest.raises(NoLeave):
        platform().raw_msg_list(robot)
    assert (texts(simulator), state_of(alert)) == ([["告警"]], "accepted")
    simulator.wait_for(lambda: outbox.drain() >= 0 and len(simulator.sends()) == 2)
    refused, alerted, reply = times(simulator.ledger())
    assert alerted - refused < reply - refused
    assert reply - refused >= 1.5


# -- several commands in one request -----------------------------------------------------------------------------------


def test_commands_share_a_request_only_when_the_limit_is_short(
    queue: Queue, simulator: SimulatorClient, settings: Settings
) -> None:
    settings.WORKTOOL_REQUEST_LIMIT, settings.WORKTOOL_REQUEST_RESERVE = 3, 0
    commands = [queue(f"第{number}条", room=f"群{number}") for number in range(6)]
    outbox.drain()
    assert sorted(map(len, texts(simulator))) == [1, 1, 4]
    ids = dict(Command.objects.values_list("pk", "platform_id"))
    assert len({ids[command.pk] for command in commands[2:]}) == 1
    assert {state_of(command) for command in commands} == {"accepted"}


@pytest.mark.parametrize("kind", [206, 207, 213, 219])
def test_deeds_never_share_a_request(queue: Queue, simulator: SimulatorClient, settings: Settings, kind: int) -> None:
    settings.WORKTOOL_REQUEST_LIMIT, settings.WORKTOOL_REQUEST_RESERVE = 1, 0
    queue("一", room="甲群")
    deed = queue("二", room="乙群", kind=kind)
    queue("三", room="丙群")
    outbox.drain()
    assert texts(simulator) == [["一", "三"]]
    assert state_of(deed) == "queued"


def test_one_robots_commands_ride_with_its_own_only(
    queue: Queue, simulator: SimulatorClient, settings: Settings
) -> None:
    settings.WORKTOOL_REQUEST_LIMIT, settings.WORKTOOL_REQUEST_RESERVE = 1, 0
    other = services.create_robot(slug="other", name="另一个", robot_id="wt-other", mode=Mode.AUTOMATIC, actor="test")
    queue("一", room="甲群")
    stranger = queue_command(conversation_in(other, "乙群"), "二")
    queue("三", room="丙群")
    outbox.drain()
    assert texts(simulator) == [["一", "三"]]
    assert state_of(stranger) == "queued"


def test_a_bad_command_does_not_spoil_those_it_shared_a_request_with(
    queue: Queue, simulator: SimulatorClient, settings: Settings
) -> None:
    settings.WORKTOOL_REQUEST_LIMIT, settings.WORKTOOL_REQUEST_RESERVE = 1, 0
    bad = {"type": 203, "titleList": [], "receivedContent": "没有目标"}
    good, spoilt = queue("好的", room="甲群"), queue("没有目标", room="乙群", payload=bad)
    outbox.drain()
    assert (state_of(good), state_of(spoilt)) == ("queued", "queued")
    settings.WORKTOOL_REQUEST_LIMIT = 10
    Command.objects.update(not_before=None)
    outbox.drain()
    assert (state_of(good), state_of(spoilt)) == ("accepted", "failed")


@pytest.mark.usefixtures("impatient")
def test_each_command_of_a_shared_request_is_looked_for(
    queue: Queue, simulator: SimulatorClient, settings: Settings
) -> None:
    """Also when a look broke off after the first was found: the others are under the same id, and not sent again."""
    settings.WORKTOOL_REQUEST_LIMIT, settings.WORKTOOL_REQUEST_RESERVE = 1, 0
    simulator.faults({"kind": "timeout_after", "count": 1})
    first, *others = [queue(f"第{number}条", room=f"群{number}") for number in range(3)]
    outbox.drain()
    assert {state_of(command) for command in (first, *others)} == {"unknown"}
    settings.WORKTOOL_REQUEST_LIMIT = 1000
    (entry,) = simulator.sends()
    found = {"state": "accepted", "platform_id": entry["messageId"], "accepted_at": ago(3)}
    Command.objects.filter(pk=first.pk).update(**found)
    Command.objects.update(sending_at=ago(6))
    reconcile.look_for_unknown(TIMES)
    assert set(Command.objects.values_list("platform_id", flat=True)) == {entry["messageId"]}
    assert "unknown" not in {state_of(command) for command in (first, *others)}
    assert len(simulator.sends()) == 1


# -- a robot's own limit -----------------------------------------------------------------------------------------------


def test_a_robots_own_limit_leaves_the_others_theirs(queue: Queue, simulator: SimulatorClient, robot: Robot) -> None:
    Robot.objects.filter(pk=robot.pk).update(requests_per_minute=2)
    other = services.create_robot(slug="other", name="另一个", robot_id="wt-other", mode=Mode.AUTOMATIC, actor="test")
    for number in range(4):
        queue(f"第{number}条", room=f"群{number}", kind=207)
        queue_command(conversation_in(other, f"群{number}"), f"又{number}条", kind=207)
    outbox.drain()
    assert sorted(said for (said,) in texts(simulator)) == ["又0条", "又1条", "又2条", "又3条", "第0条", "第1条"]


# -- every call takes leave --------------------------------------------------------------------------------------------


@pytest.fixture
def no_leave(settings: Settings, simulator: SimulatorClient) -> Iterator[None]:
    settings.WORKTOOL_REQUEST_LIMIT = 0
    yield
    assert simulator.ledger() == []


@pytest.mark.usefixtures("no_leave")
@pytest.mark.parametrize(
    "name",
    sorted(name for name, method in vars(type(platform())).items() if callable(method) and not name.startswith("_")),
)
def test_no_call_is_made_without_leave(robot: Robot, name: str) -> None:
    arguments: dict[str, list[Any]] = {
        "send_raw_message": [[]],
        "bind": [1, "http://127.0.0.1:9"],
    }
    with pytest.raises(NoLeave):
        getattr(platform(), name)(robot, *arguments.get(name, []))
