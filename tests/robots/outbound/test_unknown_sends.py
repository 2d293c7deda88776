"""The desk for sends whose end nobody knows: a person's word, compared and set, and never a doubled line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from robots import outbox, reconcile, switches, unknown_sends
from robots.error_codes import NEVER_REPEATED
from robots.models import Command, Conversation, Message, Robot
from robots.simulator.testing import SimulatorClient
from robots.testimony import facts, summary
from tests.robots.outbound.conftest import ROBOT_ID, Queue, ago, state_of
from tests.robots.outbound.test_admin import page, signed_in
from tests.robots.outbound.test_reconcile import TIMES, age, fail_with, look_at
from tests.robots.outbound.test_withdrawal import answered_line, reason_of
from worktool_ai.accounts.models import AuditEntry, Role
from worktool_ai.lib.ids import uuid7


@pytest.fixture(autouse=True)
def fresh_copy() -> None:
    switches.forget()


def undecided(command: Command, seconds: float = 130, **fields: object) -> Command:
    values = {"state": "unknown", "sending_at": ago(seconds), "sender": "p", "attempts": 1, **fields}
    Command.objects.filter(pk=command.pk).update(**values)
    command.refresh_from_db()
    return command


def ambiguous(queue: Queue, simulator: SimulatorClient, text: str = "两条一样的") -> Command:
    """A call that ended unknown, while somebody else has said the same in the room."""
    command = fail_with(simulator, "timeout_after", queue(text))
    simulator.call("POST", "/wework/sendRawMessage", ROBOT_ID, {"socketType": 2, "list": [command.payload]})
    return look_at(command, 6, 66, 130)


def test_the_rules_come_first(queue: Queue) -> None:
    young, old = undecided(queue("刚刚"), 60), undecided(queue("久了", room="乙群"))
    control = undecided(queue("", room="丙群", kind=304))
    assert [one.pk for one in unknown_sends.unknown_sends()] == [old.pk]
    assert young.pk != control.pk


def test_the_evidence_is_told_in_words(queue: Queue, simulator: SimulatorClient) -> None:
    found = ambiguous(queue, simulator)
    assert len(facts(found)) == 4
    assert "2" in facts(found)[-1]
    lost = undecided(queue("没找到", room="乙群"))
    lost.evidence = [{"at": ago(60).isoformat(), "age_s": 66, "attempt": 1, "complete": True, "matches": []}]
    vague = undecided(queue("没查到", room="丙群"))
    assert len({summary(found), summary(lost), summary(vague)}) == 3


def test_a_persons_word_ends_it_and_takes_its_row(
    queue: Queue, simulator: SimulatorClient, conversation: Conversation, final_commands: list
) -> None:
    run = uuid7()
    command = ambiguous(queue, simulator)
    Command.objects.filter(pk=command.pk).update(run_id=run, created_at=ago(130))
    line = answered_line(conversation, run, "send_unknown")
    unknown_sends.confirm_sent(command.pk, "王五")
    command.refresh_from_db()
    first, _second = simulator.sends()
    assert (command.state, command.decision, command.decided_by) == ("done", "sent", "王五")
    assert command.platform_id == first["messageId"]
    assert final_commands == [command.pk]
    assert reason_of(line) == "answered"
    assert AuditEntry.objects.get(action="send.sent").actor_name == "王五"


def test_a_row_that_comes_late_is_not_taken_for_another_call(queue: Queue, simulator: SimulatorClient) -> None:
    """By word it was sent, though no row was found; the row that appears may be its own or the other's."""
    said = undecided(queue("在的"), 200)
    unknown_sends.confirm_sent(said.pk, "王五")
    Command.objects.filter(pk=said.pk).update(final_at=ago(60))
    other = fail_with(simulator, "timeout_after", queue("在的"))
    Command.objects.filter(pk=said.pk).update(sending_at=ago(150))
    look_at(other, 6, 66, 130)
    outbox.drain()
    assert (other.state, other.resent_as, len(simulator.sends())) == ("unknown", None, 1)
    assert [one.pk for one in unknown_sends.unknown_sends()] == [other.pk]


def test_sent_again_it_is_a_new_command_with_the_line(queue: Queue, simulator: SimulatorClient) -> None:
    command = undecided(queue("再说一次"), expires_at=ago(10))
    again = unknown_sends.resend(command.pk, "王五")
    outbox.drain()
    command.refresh_from_db()
    assert (command.state, command.decision, command.resent_as) == ("not_accepted", "resent", again)
    assert (state_of(again), again.requested_by, again.seq > command.seq) == ("accepted", "王五", True)
    assert Message.objects.get(direction="out").command == again
    assert [entry["commands"][0]["receivedContent"] for entry in simulator.sends()] == ["再说一次"]


def test_it_is_decided_once(queue: Queue, simulator: SimulatorClient) -> None:
    command = undecided(queue("只说一次"))
    unknown_sends.resend(command.pk, "王五")
    for decide in (unknown_sends.resend, unknown_sends.confirm_sent):
        with pytest.raises(unknown_sends.Refused):
            decide(command.pk, "赵六")
    age(command, 66)
    reconcile.run(TIMES)
    outbox.drain()
    assert len(simulator.sends()) == 1


@pytest.mark.parametrize("kind", sorted(NEVER_REPEATED))
def test_deeds_are_never_repeated(queue: Queue, kind: int) -> None:
    command = undecided(queue(kind=kind))
    with pytest.raises(unknown_sends.Refused, match=str(kind)):
        unknown_sends.resend(command.pk, "王五")
    assert (state_of(command), Command.objects.count()) == ("unknown", 1)


def test_nothing_is_sent_again_where_nothing_may_leave(queue: Queue, robot: Robot) -> None:
    command = undecided(queue())
    row = switches.stop("all", "试", "王五")
    with pytest.raises(unknown_sends.Refused):
        unknown_sends.resend(command.pk, "王五")
    switches.resume(row.pk, "王五")
    Robot.objects.update(mode="shadow")
    with pytest.raises(unknown_sends.Refused):
        unknown_sends.resend(command.pk, "王五")


def test_after_a_day_it_is_closed_honestly(queue: Queue, conversation: Conversation) -> None:
    run = uuid7()
    line = answered_line(conversation, run)
    over = undecided(queue("昨天的", run_id=run), unknown_sends.DECIDE_WITHIN / timedelta(seconds=1) + 1)
    undecided(queue("今天的", room="乙群"))
    assert (unknown_sends.close_undecided(), unknown_sends.close_undecided()) == (1, 0)
    over.refresh_from_db()
    assert (over.state, over.decision, reason_of(line)) == ("unknown", "unresolved", "send_unknown")
    with pytest.raises(unknown_sends.Refused):
        unknown_sends.confirm_sent(over.pk, "王五")


def test_the_page_lists_tells_and_decides(queue: Queue) -> None:
    owner = signed_in()
    command, other = undecided(queue("说了没有")), undecided(queue("另一条", room="乙群"))
    assert "说了没有" in page(owner, "robots_unknownsend_changelist")
    assert "ended without an answer" in page(owner, "robots_unknownsend_change", command.pk)
    deed = reverse("admin:robots_unknownsend_confirm_sent", args=[command.pk])
    assert "Have you seen this line" in owner.get(deed).content.decode()
    assert state_of(command) == "unknown"
    done = owner.post(deed, {"_form_submitted": "True"}, follow=True).content.decode()
    assert "it was sent" in done
    owner.post(reverse("admin:robots_unknownsend_resend", args=[other.pk]), {"_form_submitted": "True"})
    assert [state_of(command), state_of(other)] == ["done", "not_accepted"]
    viewer = signed_in(username="viewer", role=Role.VIEWER)
    assert viewer.get(reverse("admin:robots_unknownsend_changelist")).status_code == 403
