"""Which state a result gives its command, in whatever order, number and shape results come."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import transaction

from robots import outbox, outcomes, results
from robots.error_codes import TABLE, describe
from robots.inbound.parse import ParsedResult
from robots.models import Command, CommandResult, Robot
from robots.simulator.testing import SimulatorClient
from robots.transitions import Change, apply
from tests.robots.outbound.conftest import Queue, ago, state_of
from worktool_ai.events.models import EventBatch
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7


def accepted(command: Command, platform_id: str) -> Command:
    Command.objects.filter(pk=command.pk).update(
        state="accepted", platform_id=platform_id, sending_at=now(), accepted_at=now()
    )
    command.refresh_from_db()
    return command


def result(robot: Robot, platform_id: str, **more: Any) -> ParsedResult:
    command: dict[str, Any] = more.pop("command", {})
    fields: dict[str, Any] = {
        "id": uuid7(),
        "robot_id": robot.pk,
        "platform_id": platform_id,
        "inner_id": "",
        "kind": 203,
        "error_code": 0,
        "error_reason": "",
        "success_list": (),
        "fail_list": (),
        "run_time": now(),
        "time_cost": 1.5,
        "raw_message": command,
        "raw": {"rawMsg": json.dumps(command)},
        "received_at": now(),
    }
    return ParsedResult(**{**fields, **more})


def record(*several: ParsedResult) -> None:
    with transaction.atomic():
        results.record(several)


@pytest.mark.parametrize(
    ("code", "succeeded", "failed", "state"),
    [
        (0, (), (), "done"),
        (0, ("甲",), (), "done"),
        (0, ("甲",), ("乙",), "partial"),
        (0, (), ("甲",), "partial"),
        (201102, ("甲",), ("乙",), "partial"),
        (201102, (), ("甲",), "failed"),
        (201101, (), (), "failed"),
        (101014, (), (), "done"),
        (201106, (), (), "done"),
        (999999, (), (), "failed"),
    ],
)
def test_how_a_result_ends_its_command(code: int, succeeded: Any, failed: Any, state: str) -> None:
    assert results.outcome_of(code, succeeded, failed) == state


def test_every_known_code_tells_the_operator_what_to_do() -> None:
    assert all(row.meaning and (row.advice or row.code == 0) for row in TABLE.values())
    assert not describe(123456).retry


def test_a_result_ends_its_command_and_wakes_whoever_waits(
    queue: Queue, robot: Robot, final_commands: list[UUID]
) -> None:
    command = accepted(queue(), "900")
    record(result(robot, "900", error_code=201101, error_reason="查找聊天窗失败", fail_list=("客服群",)))
    command.refresh_from_db()
    assert (command.state, command.error_code, command.error_reason) == ("failed", 201101, "查找聊天窗失败")
    assert command.final_at
    assert final_commands == [command.pk]
    (row,) = CommandResult.objects.all()
    assert (row.command, row.time_cost) == (command, 1.5)
    (event,) = EventBatch.objects.get().items
    assert event["type"] == "command_result"
    assert event["data"]["result"] == {"errorCode": 201101, "errorReason": "查找聊天窗失败"}


def test_the_outer_id_counts_before_the_inner_one(queue: Queue, robot: Robot) -> None:
    outer, inner = accepted(queue("一"), "outer"), accepted(queue("二", room="乙群"), "inner")
    record(result(robot, "outer", inner_id="inner"))
    assert (state_of(outer), state_of(inner)) == ("done", "accepted")


def test_the_inner_id_is_a_fallback(queue: Queue, robot: Robot) -> None:
    command = accepted(queue(), "inner")
    record(result(robot, "somebody else's", inner_id="inner"))
    assert state_of(command) == "done"


def test_a_repeated_result_changes_nothing(queue: Queue, robot: Robot, final_commands: list[UUID]) -> None:
    command = accepted(queue(), "900")
    first = result(robot, "900")
    record(first)
    record(first)
    record(result(robot, "900", error_code=201102))
    assert state_of(command) == "done"
    assert final_commands == [command.pk]
    assert CommandResult.objects.filter(command=command).count() == 2


def test_a_repeated_result_in_one_batch_changes_nothing(queue: Queue, robot: Robot) -> None:
    command = accepted(queue(), "900")
    record(result(robot, "900"), result(robot, "900", error_code=201102))
    assert state_of(command) == "done"


def test_a_result_of_another_robot_is_not_ours(queue: Queue, robot: Robot) -> None:
    command = accepted(queue(), "900")
    other = Robot(slug="other", name="别的机器人", robot_id_digest="d", callback_key_digest="k")
    other.save()
    record(result(other, "900"))
    assert state_of(command) == "accepted"


def test_commands_that_share_an_id_are_told_apart_by_content(queue: Queue, robot: Robot) -> None:
    one, two = accepted(queue("一"), "900"), accepted(queue("二", room="乙群"), "900")
    record(result(robot, "900", command=two.payload, error_code=201102))
    assert (state_of(one), state_of(two)) == ("accepted", "failed")
    record(result(robot, "900", command=two.payload))
    assert (state_of(one), state_of(two)) == ("accepted", "failed")
    record(result(robot, "900", command=one.payload | {"messageId": "900", "extra": None}))
    assert (state_of(one), state_of(two)) == ("done", "failed")


def test_commands_that_share_id_and_content_end_in_order(queue: Queue, robot: Robot) -> None:
    one, two = accepted(queue("一样"), "900"), accepted(queue("一样"), "900")
    record(result(robot, "900", command=one.payload), result(robot, "900", command=two.payload, error_code=201102))
    assert (state_of(one), state_of(two)) == ("done", "failed")


def test_a_result_before_the_answer_is_kept_and_adopted(queue: Queue, robot: Robot, final_commands: list[UUID]) -> None:
    command = queue()
    Command.objects.filter(pk=command.pk).update(state="sending", sending_at=now(), sender="p", attempts=1)
    record(result(robot, "900", command=command.payload))
    assert CommandResult.objects.get().command is None
    answer = Change(
        id=command.pk,
        was=("sending",),
        state="accepted",
        sender="p",
        attempts=1,
        platform_id="900",
        accepted_at=now(),
    )
    with transaction.atomic():
        results.adopt(apply([answer]))
    assert state_of(command) == "done"
    assert CommandResult.objects.get().command == command
    assert final_commands == [command.pk]


def test_answer_and_result_that_missed_each_other_are_joined(queue: Queue, robot: Robot) -> None:
    command = queue()
    record(result(robot, "900"))
    accepted(command, "900")
    with transaction.atomic():
        results.adopt_strays()
    assert state_of(command) == "done"


@pytest.mark.parametrize("comes", ["before", "while", "after"])
def test_a_result_that_crosses_its_answer_ends_its_command_without_the_poll(
    queue: Queue,
    simulator: SimulatorClient,
    robot: Robot,
    monkeypatch: pytest.MonkeyPatch,
    final_commands: list[UUID],
    comes: str,
) -> None:
    """Before the answer is written; stored while it is, neither seeing the other; a moment after."""
    command, note = queue(), outcomes.note

    def crossing(changes: Any, known: Any) -> Any:
        (change,) = changes
        if comes == "before":
            record(result(robot, change.platform_id))
        seen = note(changes, known)
        if comes == "while":
            CommandResult.objects.create(
                robot=robot, platform_id=change.platform_id, error_code=0, raw={}, received_at=now()
            )
        return seen

    monkeypatch.setattr(outcomes, "note", crossing)
    outbox.drain()
    command.refresh_from_db()
    if comes == "after":
        record(result(robot, command.platform_id))
    assert state_of(command) == "done"
    assert CommandResult.objects.get().command == command
    assert final_commands == [command.pk]


def test_a_command_accepted_without_an_id_is_found_by_content(queue: Queue, robot: Robot) -> None:
    other, command = accepted(queue("别的", room="乙群"), ""), accepted(queue(), "")
    record(result(robot, "unheard of", command=command.payload))
    assert (state_of(command), state_of(other)) == ("done", "accepted")


def test_a_result_of_nobody_is_kept(robot: Robot) -> None:
    record(result(robot, "unheard of"))
    assert CommandResult.objects.get().command is None


#: How results may come, and in which states the three commands of one request end. Each step is recorded on its own; a
#: result is (index of its command, error code, fail list), of a command that the platform named "900".
WAYS: dict[str, tuple[list[list[tuple[int, int, tuple[str, ...]]]], list[str]]] = {
    "in order": ([[(0, 0, ())], [(1, 0, ())], [(2, 0, ())]], ["done", "done", "done"]),
    "batched": ([[(0, 0, ()), (1, 201102, ()), (2, 0, ())]], ["done", "failed", "done"]),
    "reordered": ([[(2, 201101, ())], [(0, 0, ())], [(1, 0, ())]], ["done", "done", "failed"]),
    "one lost": ([[(0, 0, ())], [(2, 0, ())]], ["done", "accepted", "done"]),
    "all lost": ([], ["accepted", "accepted", "accepted"]),
    "doubled": ([[(1, 0, ())], [(1, 0, ())], [(1, 201102, ())]], ["accepted", "done", "accepted"]),
    "with a fail list": ([[(0, 0, ("甲群",)), (1, 0, ()), (2, 201102, ("丙群",))]], ["partial", "done", "failed"]),
    "an unknown code": ([[(0, 987654, ()), (1, 0, ())]], ["failed", "done", "accepted"]),
    "already so": ([[(0, 101014, ()), (1, 201106, ())]], ["done", "done", "accepted"]),
}


@pytest.mark.parametrize("inner", ["900", "another's"])
@pytest.mark.parametrize("before_the_answer", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_several_commands_of_one_request(
    queue: Queue, robot: Robot, way: str, before_the_answer: bool, inner: str
) -> None:
    """One messageId for all, whatever the id inside says, before the HTTP answer or after it."""
    steps, ends = WAYS[way]
    commands = [queue(f"{name}的话", room=name) for name in ("甲群", "乙群", "丙群")]
    if not before_the_answer:
        commands = [accepted(command, "900") for command in commands]
    for step in steps:
        told = [(commands[index], code, failed) for index, code, failed in step]
        record(
            *(
                result(robot, "900", inner_id=inner, command=command.payload, error_code=code, fail_list=failed)
                for command, code, failed in told
            )
        )
    if before_the_answer:
        commands = [accepted(command, "900") for command in commands]
        with transaction.atomic():
            results.adopt_strays()
    assert [state_of(command) for command in commands] == ends


def test_a_result_that_comes_days_late_still_ends_its_command(queue: Queue, robot: Robot) -> None:
    command = accepted(queue(), "900")
    Command.objects.update(accepted_at=ago(3 * 86_400), sending_at=ago(3 * 86_400))
    record(result(robot, "900"))
    assert state_of(command) == "done"


def test_the_published_table_is_that_of_the_code() -> None:
    call_command("export_error_codes", check=True)


@pytest.mark.parametrize("dialect", [{"code": 200}, {"code": 0}])
def test_either_success_code_is_acceptance(queue: Queue, simulator: SimulatorClient, dialect: dict[str, Any]) -> None:
    simulator.dialect(**dialect)
    command = queue()
    outbox.drain()
    assert state_of(command) == "accepted"
