"""check_consistency: nothing to find in what the product wrote, and each kind of damage is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from alerts.models import Alert
from flows.models import Run
from flows.services import start_runs
from monitoring import tasks
from monitoring.consistency import Span, examine, summary
from monitoring.consistency.checks import CHECKS
from robots import results
from robots.inbound.store import store_batch
from robots.models import Command, CommandState, Robot
from robots.transitions import Change, apply
from tests.flows.conftest import robot, seeded, work  # noqa: F401 - fixtures
from tests.robots.inbound.builders import callback, line
from tests.robots.outbound.test_results import result
from worktool_ai.lib.clock import now

pytestmark = pytest.mark.django_db

#: Everything that is there when a test looks is old enough.
LATER = timedelta(seconds=-60)


def found() -> dict[str, int]:
    told = summary(list(examine(Span.of(grace=LATER))))
    return {name: number for name, number in told["checks"].items() if number}


@pytest.fixture
def product(seeded: None, robot: Robot, work: Callable[[], int]) -> None:  # noqa: F811
    """Lines that were answered, not answered and said twice, with commands at every stage."""
    said = [
        line("如何退款？", groupName="", roomType=2),
        line("如何退款？", "李四"),
        line("今天天气真好", "王五"),
        line("怎么登录", "赵六", atMe="true"),
        line("怎么登录", "赵六", atMe="true"),
        line("怎么联系客服", "孙七", atMe="true"),
    ]
    for body in said:  # one by one: a lone conversation is walked on this connection
        with transaction.atomic():
            start_runs(store_batch([replace(callback(robot.pk, body), received_at=now())]).lines)
        work()
    for number, command in enumerate(Command.objects.order_by("seq")):
        send(command, f"plat-{number}")
        results.record([result(robot, f"plat-{number}", error_code=0 if number else 201101)])
        work()
    assert set(Command.objects.values_list("state", flat=True)) == {"done", "failed"}
    assert set(Run.objects.values_list("state", flat=True)) == {"done"}


def send(command: Command, platform_id: str) -> None:
    Command.objects.filter(pk=command.pk).update(state="sending", sending_at=now(), sender="test:1")
    was = (CommandState.SENDING,)
    apply([Change(id=command.pk, was=was, state="accepted", platform_id=platform_id, accepted_at=now())])


def test_nothing_is_found_in_what_the_product_wrote(product: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert found() == {}
    call_command("check_consistency", "--grace", "-60")
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == len(CHECKS) + 1
    told = json.loads(shown[-1])
    assert told == {"version": 1, "checks": {check.name: 0 for check in CHECKS}, "inconsistencies": 0}


DAMAGE = {
    "line_without_run_or_reason": """UPDATE robots_message SET settled_at = NULL, reason = '', id = gen_random_uuid()
        WHERE reason = 'duplicate'""",
    "answered_line_without_command": "UPDATE robots_command SET run_id = NULL",
    "ended_run_without_end": "UPDATE flows_run SET ended_at = NULL",
    "ended_run_with_open_line": "UPDATE robots_message SET settled_at = NULL WHERE direction = 'in'",
    "done_run_with_open_edges": "UPDATE flows_run SET edges = '{}'",
    "done_run_without_end_step": "DELETE FROM flows_step WHERE node_type = 'end'",
    "ended_run_with_open_wait": "UPDATE flows_wait SET state = 'open', due_at = now() + interval '1 day'",
    "overdue_wait": "UPDATE flows_wait SET state = 'open'; UPDATE flows_wait SET due_at = now() - interval '1 hour'",
    "two_active_runs": """DROP INDEX flows_run_one_active;
        UPDATE flows_run SET state = 'active', conversation_id = (SELECT conversation_id FROM flows_run LIMIT 1)""",
    "lease_queued_differs": "UPDATE flows_conversationlease SET queued = 3",
    "lease_due_differs": "UPDATE flows_conversationlease SET due_at = now() + interval '1 hour'",
    "overdue_and_held_by_nobody": """UPDATE flows_run SET state = 'queued';
        UPDATE flows_conversationlease SET due_at = now() - interval '1 hour', queued = 1""",
    "done_command_without_line": "UPDATE robots_command SET message_id = NULL WHERE state = 'done'",
    "done_command_without_platform_id": """UPDATE robots_command SET platform_id = '';
        UPDATE robots_command SET platform_id = 'plat-1', state = 'failed' WHERE id IN
        (SELECT id FROM robots_command ORDER BY seq DESC LIMIT 1)""",
    "platform_id_of_two_commands": "UPDATE robots_command SET platform_id = 'plat-0'",
    "room_out_of_order": """UPDATE robots_command SET target = '客服群';
        UPDATE robots_command SET sending_at = now() - seq * interval '1 second'""",
    "sending_without_sender": "UPDATE robots_command SET state = 'sending', sender = ''",
    "final_command_without_time": "UPDATE robots_command SET final_at = NULL",
    "line_without_event": "DELETE FROM events_eventbatch",
    "done_run_without_event": "DELETE FROM events_eventbatch",
    "final_command_without_event": "DELETE FROM events_eventbatch",
    "alert_counted_too_little": """INSERT INTO alerts_alert
        (id, code, level, title, fingerprint, state, count, first_at, last_at, data)
        VALUES (gen_random_uuid(), 'risk', 'info', 't', 'f', 'open', 1, now(), now(), '{"keys": ["a", "b"]}')""",
}


def test_each_check_is_tried() -> None:
    assert DAMAGE.keys() == {check.name for check in CHECKS}


def test_damage_is_found(product: None) -> None:
    missed = {name for name, statements in DAMAGE.items() if name not in found_after(statements)}
    assert not missed
    assert found() == {}


def found_after(statements: str) -> dict[str, int]:
    """Do the damage, look, and undo it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for statement in statements.split(";"):
            cursor.execute(statement)
        told = found()
        transaction.set_rollback(True)
    return told


def test_the_command_names_what_it_found(product: None, capsys: pytest.CaptureFixture[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE flows_conversationlease SET queued = 3")
    with pytest.raises(SystemExit) as ended:
        call_command("check_consistency", "--grace", "-60")
    assert ended.value.code == 1
    shown = capsys.readouterr().out.splitlines()
    told = json.loads(shown[-1])
    number = told["inconsistencies"]
    assert number > 0
    assert told["checks"]["lease_queued_differs"] == number
    (row,) = [place for place, text in enumerate(shown) if "lease_queued_differs: a conversation whose" in text]
    assert len(shown[row + 1].split()) == number


def test_what_is_under_way_or_before_the_time_asked_for_is_left_out(product: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(DAMAGE["line_without_run_or_reason"])
    assert found() == {"line_without_run_or_reason": 1, "line_without_event": 1}
    assert all(finding.number == 0 for finding in examine(Span.of()))
    since = Span.of(now() + timedelta(seconds=1), LATER)
    assert all(finding.number == 0 for finding in examine(since))


def test_the_nightly_run_raises_one_alert(product: None) -> None:
    tasks.check_consistency()
    assert not Alert.objects.filter(code="inconsistent").exists()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE flows_conversationlease SET queued = 3")
    for _night in range(2):
        tasks.check_consistency()
    alert = Alert.objects.get(code="inconsistent")
    assert alert.count == 2
    assert list(alert.data["checks"]) == ["lease_queued_differs"]


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(Exception, match="is no time: write it as"):
        call_command("check_consistency", "--since", "yesterday")
