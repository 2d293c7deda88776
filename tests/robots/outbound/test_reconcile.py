"""What becomes of calls that ended without an answer: evidence each way, and never a blind repetition."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import override_settings
from pytest_django.fixtures import Settings

from robots import outbox, reconcile
from robots.limiter import limiter
from robots.models import Command, CommandResult, Conversation, Message, Robot
from robots.reconcile import Times
from robots.simulator.testing import SimulatorClient
from tests.robots.outbound.conftest import ROBOT_ID, Queue, ago, queue_command, state_of
from tests.robots.outbound.test_withdrawal import answered_line
from worktool_ai.lib.ids import uuid7

#: The rule in fast motion; only the call's age is moved by the tests.
TIMES = replace(Times(), look_spacing_s=0.001, result_every_s=0.001)


def fail_with(simulator: SimulatorClient, kind: str, command: Command) -> Command:
    """Make the call of a command end without an answer."""
    simulator.faults({"kind": kind})
    with override_settings(WORKTOOL_TIMEOUT_S=0.5):
        outbox.drain()
    simulator.faults()
    assert state_of(command) == "unknown"
    return command


def age(command: Command, seconds: float) -> None:
    Command.objects.filter(pk=command.pk).update(sending_at=ago(seconds))


def look_at(command: Command, *ages: float) -> Command:
    for seconds in ages:
        age(command, seconds)
        reconcile.run(TIMES)
    command.refresh_from_db()
    return command


def queries(simulator: SimulatorClient) -> int:
    return len([entry for entry in simulator.ledger() if entry["method"] == "GET"])


def test_exactly_one_match_is_adopted_with_its_result(
    queue: Queue, simulator: SimulatorClient, final_commands: list[UUID]
) -> None:
    command = fail_with(simulator, "timeout_after", queue())
    look_at(command, 6)
    (entry,) = simulator.sends()
    assert (command.state, command.platform_id) == ("done", entry["messageId"])
    assert final_commands == [command.pk]
    assert command.evidence[-1]["matches"][0]["messageId"] == entry["messageId"]
    assert CommandResult.objects.get().command == command


@pytest.mark.usefixtures("impatient")
def test_what_has_not_run_yet_is_accepted_only(queue: Queue, simulator: SimulatorClient) -> None:
    simulator.faults({"kind": "offline"}, {"kind": "timeout_after"})
    command = queue()
    outbox.drain()
    assert look_at(command, 6).state == "accepted"


def test_a_result_that_came_meanwhile_is_adopted(queue: Queue, simulator: SimulatorClient, robot: Robot) -> None:
    command = fail_with(simulator, "timeout_after", queue())
    platform_id = simulator.sends()[0]["messageId"]
    CommandResult.objects.create(
        robot=robot, platform_id=platform_id, error_code=201102, raw={}, received_at=ago(1), fail_list=["客服群"]
    )
    assert look_at(command, 6).state == "failed"
    assert CommandResult.objects.count() == 1


def test_absent_in_two_looks_is_sent_once_more(
    queue: Queue, simulator: SimulatorClient, final_commands: list[UUID]
) -> None:
    command = fail_with(simulator, "timeout_before", queue("只说一次"))
    assert look_at(command, 4).evidence == []
    assert look_at(command, 6).state == "unknown"
    assert look_at(command, 30).state == "unknown"
    assert len(command.evidence) == 1
    assert look_at(command, 66).state == "not_accepted"

    again = command.resent_as
    assert again
    assert (again.state, again.seq, again.expires_at) == ("queued", command.seq, command.expires_at)
    assert final_commands == []
    assert Message.objects.get(direction="out").command == again
    outbox.drain()
    assert [entry["commands"][0]["receivedContent"] for entry in simulator.sends()] == ["只说一次"]
    assert state_of(again) == "accepted"


def test_the_repetition_goes_before_later_lines_of_its_room(queue: Queue, simulator: SimulatorClient) -> None:
    command = fail_with(simulator, "timeout_before", queue("一"))
    queue("二")
    look_at(command, 6, 66)
    outbox.drain()
    assert [entry["commands"][0]["receivedContent"] for entry in simulator.sends()] == ["一", "二"]


def test_it_is_repeated_once_only_and_both_names_are_told(
    queue: Queue, simulator: SimulatorClient, final_commands: list[UUID]
) -> None:
    command = fail_with(simulator, "timeout_before", queue())
    again = look_at(command, 6, 66).resent_as
    assert again
    fail_with(simulator, "timeout_before", again)
    look_at(again, 6, 66)
    assert (again.state, again.resent_as) == ("not_accepted", None)
    assert final_commands == [again.pk, command.pk]


@pytest.mark.parametrize("why", ["stale", "moved on", "group command"])
def test_what_must_not_be_repeated_is_only_closed(
    queue: Queue, simulator: SimulatorClient, final_commands: list[UUID], why: str
) -> None:
    command = fail_with(simulator, "timeout_before", queue())
    if why == "stale":
        Command.objects.filter(pk=command.pk).update(expires_at=ago(1))
    elif why == "group command":
        Command.objects.filter(pk=command.pk).update(kind=206)
    else:
        later = queue("后面的话")
        Command.objects.filter(pk=later.pk).update(state="done", sending_at=ago(1))
    look_at(command, 6, 66)
    assert (command.state, command.resent_as) == ("not_accepted", None)
    assert final_commands == [command.pk]


def test_a_list_that_lacks_what_we_know_proves_nothing(queue: Queue, simulator: SimulatorClient) -> None:
    known = queue("别的群的话", room="乙群")
    outbox.drain()
    command = fail_with(simulator, "timeout_before", queue())
    Command.objects.filter(pk=known.pk).update(platform_id="not in the list", accepted_at=ago(10))
    look_at(command, 20, 66, 130)
    assert command.state == "unknown"
    assert [look["complete"] for look in command.evidence] == [False, False, False]


def test_a_look_reaches_back_over_as_many_pages_as_it_takes(
    queue: Queue, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "PAGE_SIZE", 1)
    command = fail_with(simulator, "timeout_before", queue())
    for number in range(5):
        queue(f"别的话 {number}", room=f"群 {number}")
    outbox.drain()
    assert look_at(command, 6, 66).state == "not_accepted"
    assert [look["complete"] for look in command.evidence] == [True, True]


def test_two_possible_matches_are_left_to_a_person(queue: Queue, simulator: SimulatorClient) -> None:
    command = fail_with(simulator, "timeout_after", queue())
    simulator.call(
        "POST", "/wework/sendRawMessage", ROBOT_ID, {"socketType": 2, "list": [command.payload]}
    )  # by somebody else
    look_at(command, 6, 66, 130)
    assert (command.state, command.resent_as) == ("unknown", None)
    assert [len(look["matches"]) for look in command.evidence] == [2, 2, 2]


def test_what_other_commands_own_is_no_match(queue: Queue, simulator: SimulatorClient) -> None:
    """The same words were said before: that line is taken, so it cannot be the lost one."""
    queue("在的")
    outbox.drain()
    Command.objects.update(state="done", final_at=ago(31))
    command = fail_with(simulator, "timeout_before", queue("在的"))
    assert look_at(command, 6, 66).state == "not_accepted"


def test_a_query_that_fails_decides_nothing(queue: Queue, simulator: SimulatorClient) -> None:
    command = fail_with(simulator, "timeout_before", queue())
    simulator.faults({"kind": "http_status", "value": 500})
    look_at(command, 6, 66, 130)
    assert (command.state, command.evidence) == ("unknown", [])


def test_looking_stops_after_ten_minutes(queue: Queue, simulator: SimulatorClient) -> None:
    command = fail_with(simulator, "timeout_before", queue())
    look_at(command, 700)
    assert (command.state, command.evidence, queries(simulator)) == ("unknown", [], 0)


def test_queries_are_paced_per_robot(queue: Queue, simulator: SimulatorClient) -> None:
    one, two = queue("一"), queue("二", room="乙群")
    fail_with(simulator, "timeout_before", one)
    assert state_of(two) == "unknown"
    for command in (one, two):
        age(command, 6)
    reconcile.run()
    reconcile.run()
    assert queries(simulator) == 2  # what was sent, and what ran, for both commands at once
    assert Command.objects.exclude(evidence=[]).count() == 2


def test_queries_count_against_the_limit(queue: Queue, simulator: SimulatorClient, settings: Settings) -> None:
    command = fail_with(simulator, "timeout_before", queue())
    settings.WORKTOOL_REQUEST_LIMIT = 1
    limiter().acquire(1)
    look_at(command, 6)
    assert (queries(simulator), command.evidence) == (0, [])


def test_a_call_whose_process_is_gone_becomes_unknown(queue: Queue, settings: Settings) -> None:
    settings.WORKTOOL_TIMEOUT_S = 1.0
    command, running = queue(), queue("二", room="乙群")
    Command.objects.filter(pk=command.pk).update(state="sending", sending_at=ago(4.1), sender="gone", attempts=1)
    Command.objects.filter(pk=running.pk).update(state="sending", sending_at=ago(3.5), sender="here", attempts=1)
    reconcile.give_up_calls()
    assert (state_of(command), state_of(running)) == ("unknown", "sending")


def test_killed_before_the_call_it_is_sent_once(queue: Queue, simulator: SimulatorClient) -> None:
    command = queue()
    Command.objects.filter(pk=command.pk).update(state="sending", sending_at=ago(20), sender="gone", attempts=1)
    reconcile.run(TIMES)
    assert state_of(command) == "unknown"
    look_at(command, 66)
    outbox.drain()
    assert len(simulator.sends()) == 1


def test_killed_after_the_answer_it_is_not_sent_again(queue: Queue, simulator: SimulatorClient) -> None:
    command = queue()
    body = {"socketType": 2, "list": [command.payload]}
    simulator.call("POST", "/wework/sendRawMessage", ROBOT_ID, body)
    Command.objects.filter(pk=command.pk).update(state="sending", sending_at=ago(20), sender="gone", attempts=1)
    reconcile.run(TIMES)
    command.refresh_from_db()
    assert command.platform_id == simulator.sends()[0]["messageId"]
    outbox.drain()
    assert len(simulator.sends()) == 1


@pytest.mark.usefixtures("impatient")
def test_fifty_unknown_calls_with_evidence_each_way(queue: Queue, simulator: SimulatorClient) -> None:
    commands = [queue(f"第{number}条", room=f"群{number}") for number in range(50)]
    simulator.faults(
        *({"kind": "timeout_after" if number % 2 else "timeout_before", "room": f"群{number}"} for number in range(50))
    )
    outbox.drain()
    simulator.faults()
    assert {state_of(command) for command in commands} == {"unknown"}
    for seconds in (6, 66):
        Command.objects.filter(state="unknown").update(sending_at=ago(seconds))
        reconcile.run(TIMES)
    outbox.drain()
    said = sorted(entry["commands"][0]["receivedContent"] for entry in simulator.sends())
    assert said == sorted(command.text for command in commands)


# -- results that never came -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fail_lists", [False, True])
def test_a_lost_result_is_asked_for(queue: Queue, simulator: SimulatorClient, fail_lists: bool) -> None:
    simulator.dialect(failListOnSuccess=fail_lists)
    command = queue()
    outbox.drain()
    simulator.wait_for(lambda: simulator.sends()[0]["executions"])
    reconcile.run(TIMES)
    assert state_of(command) == "accepted"
    Command.objects.update(accepted_at=ago(61))
    reconcile.run(TIMES)
    assert state_of(command) == ("partial" if fail_lists else "done")


def test_several_lost_results_are_asked_for_in_one_pass(
    queue: Queue, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "PAGE_SIZE", 1)
    commands = [queue(f"第 {number} 句", room=f"群 {number}") for number in range(4)]
    outbox.drain()
    simulator.wait_for(lambda: all(entry["executions"] for entry in simulator.sends()))
    Command.objects.update(accepted_at=ago(61))
    reconcile.run(TIMES)
    assert [state_of(command) for command in commands] == ["done"] * 4


def test_a_line_whose_answer_is_proven_late_is_no_longer_called_unknown(
    queue: Queue, simulator: SimulatorClient, conversation: Conversation
) -> None:
    """Its run has stopped waiting by then; nobody else would correct what the line says."""
    run = uuid7()
    line = answered_line(conversation, run, "send_unknown")
    command = fail_with(simulator, "timeout_after", queue(run_id=run, created_at=ago(100)))
    assert look_at(command, 95).state == "done"
    line.refresh_from_db()
    assert line.reason == "answered"


def test_what_has_not_run_stays_accepted(queue: Queue, simulator: SimulatorClient) -> None:
    simulator.faults({"kind": "offline"})
    command = queue()
    outbox.drain()
    Command.objects.update(accepted_at=ago(61))
    reconcile.run(TIMES)
    reconcile.run()
    reconcile.run()
    assert state_of(command) == "accepted"
    assert queries(simulator) == 4  # the list and the one command; then once more, then the pace holds


def test_a_result_without_ids_is_found_by_content(
    queue: Queue, simulator: SimulatorClient, robot: Robot, conversation: Any
) -> None:
    command = queue_command(conversation, "没有编号")
    outbox.drain()
    simulator.wait_for(lambda: simulator.sends()[0]["executions"])
    Command.objects.update(platform_id="", accepted_at=ago(61), sending_at=ago(61))
    reconcile.run(TIMES)
    assert state_of(command) == "done"


def test_times_are_what_the_rule_says() -> None:
    assert (Times().first_look_s, Times().second_look_s) == (5.0, 65.0)
    assert timedelta(seconds=Times().look_every_s) == timedelta(minutes=1)
