"""The polls ask once, and nothing more while there is nothing to do."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from robots import tasks
from robots.agenda import agenda
from robots.models import Command, CommandResult, Robot
from tests.robots.outbound.conftest import Queue
from worktool_ai.lib.clock import now


def statements(robot: Robot) -> int:
    with CaptureQueriesContext(connection) as asked:
        tasks.poll_outbox()
        tasks.reconcile_commands()
    return sum(query["sql"] not in ("BEGIN", "COMMIT") for query in asked)  # of these, none is sent without another


def test_an_idle_second_costs_a_statement_for_each_poll(robot: Robot) -> None:
    assert statements(robot) == 2


def test_what_has_ended_is_nothing_to_do(queue: Queue, robot: Robot) -> None:
    command = queue()
    Command.objects.filter(pk=command.pk).update(
        state="done", platform_id="900", sending_at=now(), accepted_at=now(), final_at=now()
    )
    result = {"robot": robot, "error_code": 0, "raw": {}, "received_at": now()}
    CommandResult.objects.create(command=command, platform_id="900", **result)
    CommandResult.objects.create(platform_id="901", **result)
    assert statements(robot) == 2


@pytest.mark.parametrize(
    ("state", "finds"),
    [
        ("queued", (1, True, False)),
        ("sending", (0, True, False)),
        ("unknown", (0, True, False)),
        ("accepted", (0, False, True)),
        ("done", (0, False, False)),
    ],
)
def test_what_is_found(queue: Queue, state: str, finds: tuple[int, bool, bool]) -> None:
    command = queue()
    Command.objects.filter(pk=command.pk).update(state=state, sending_at=now(), accepted_at=now())
    due = agenda()
    assert (due.queued, due.is_open, due.is_accepted) == finds
