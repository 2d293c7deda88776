"""Taking the robot's last line back: once, in time, and with an honest outcome."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from robots import outbox, recalls, switches
from robots.models import Command
from robots.simulator.testing import SimulatorClient
from robots.tasks import poll_outbox
from robots.unknown_sends import Refused
from tests.robots.outbound.conftest import Queue, ago, state_of
from tests.robots.outbound.test_admin import page, signed_in
from tests.robots.outbound.test_results import record, result
from worktool_ai.accounts.models import AuditEntry


@pytest.fixture(autouse=True)
def fresh_copy() -> None:
    switches.forget()


def said(command: Command, seconds: float = 5, **fields: Any) -> Command:
    values = {
        "state": "done",
        "platform_id": f"p{command.seq}",
        "sending_at": ago(seconds),
        "accepted_at": ago(seconds),
        "final_at": ago(seconds),
        **fields,
    }
    Command.objects.filter(pk=command.pk).update(**values)
    command.refresh_from_db()
    return command


def outcome(command: Command) -> str | None:
    return recalls.outcome_of(Command.objects.select_related("recall").get(pk=command.pk))


def test_the_line_disappears_from_the_room_also_while_sending_is_stopped(
    queue: Queue, simulator: SimulatorClient
) -> None:
    command = queue("说错了")
    outbox.drain()
    simulator.wait_for(lambda: simulator.transcript("客服群"))
    switches.stop("all", "说错了", "王五")
    control = recalls.recall(command.pk, "王五")
    poll_outbox()
    sent = [one for entry in simulator.sends() for one in entry["commands"] if one["type"] == 226]
    assert [(one["titleList"], one["originalContent"], one["textType"]) for one in sent] == [(["客服群"], "说错了", 1)]
    assert simulator.wait_for(lambda: "说错了" not in [line["text"] for line in simulator.transcript("客服群")])
    assert outcome(command) == "under_way"
    control.refresh_from_db()
    record(result(command.robot, control.platform_id, kind=226))
    assert outcome(command) == "recalled"
    assert AuditEntry.objects.get(action="send.recall").actor_name == "王五"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"state": "failed", "error_code": 201103}, "too_late"),
        ({"state": "expired"}, "too_late"),
        ({"state": "failed", "error_code": 201104}, "failed"),
        ({"state": "withdrawn"}, "failed"),
        ({"state": "unknown", "sending_at": ago(1)}, "unknown"),
        ({"state": "queued"}, "under_way"),
    ],
)
def test_how_it_ended(queue: Queue, fields: dict[str, Any], found: str) -> None:
    command = said(queue())
    assert outcome(command) is None
    control = recalls.recall(command.pk, "王五")
    Command.objects.filter(pk=control.pk).update(**fields)
    assert outcome(command) == found


@pytest.mark.parametrize("why", ["too late", "not sent", "a file", "not the last", "wanted before"])
def test_what_is_not_taken_back(queue: Queue, why: str) -> None:
    command = said(queue())
    if why == "too late":
        said(command, 121)
    elif why == "not sent":
        Command.objects.filter(pk=command.pk).update(state="unknown")
    elif why == "a file":
        Command.objects.filter(pk=command.pk).update(kind=218)
    elif why == "not the last":
        said(queue("后来的话"))
    else:
        recalls.recall(command.pk, "王五")
    before = Command.objects.count()
    with pytest.raises(Refused):
        recalls.recall(command.pk, "赵六")
    assert Command.objects.count() == before


def test_from_the_commands_and_the_lines_page(queue: Queue) -> None:
    owner = signed_in()
    command = said(queue("说错了"))
    deed = reverse("admin:robots_message_recall", args=[command.message_id])
    assert "within two minutes" in owner.get(deed).content.decode()
    assert outcome(command) is None
    owner.post(deed, {"_form_submitted": "True"})
    assert outcome(command) == "under_way"
    assert "being taken back" in page(owner, "robots_command_change", command.pk)
    again = owner.post(
        reverse("admin:robots_command_recall", args=[command.pk]), {"_form_submitted": "True"}, follow=True
    )
    assert "not repeated" in again.content.decode()
    assert state_of(command) == "done"
