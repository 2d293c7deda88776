"""What wakes a run that waits for its command, when that command was sent once more."""

from __future__ import annotations

import pytest
from django.db import transaction

from flows.engine import waits
from robots import resend
from robots.models import Command, CommandState, Message
from robots.transitions import Change, apply
from tests.flows.conftest import run_of
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]


@pytest.fixture
def repeated(say, work):
    """A line whose command was not accepted, and the command that repeats it."""
    line = say("如何退款？")
    work()
    command = Command.objects.get()
    Command.objects.update(state=CommandState.UNKNOWN, sending_at=now())
    with transaction.atomic():
        return line, resend.close_not_accepted(command.pk, [])


def test_a_repeated_command_is_waited_for(repeated):
    line, _command = repeated
    assert waits.wake_due() == 0
    assert run_of(line).state == "settling"


@pytest.mark.parametrize(
    ("state", "reason"), [(CommandState.DONE, "answered"), (CommandState.NOT_ACCEPTED, "send_failed")]
)
def test_how_the_repetition_ends_is_how_the_line_ends(repeated, work, state, reason):
    line, command = repeated
    Command.objects.filter(pk=command.pk).update(state=CommandState.ACCEPTED, sending_at=now())
    with transaction.atomic():
        apply([Change(id=command.pk, was=(CommandState.ACCEPTED,), state=state)])
    work()
    run = run_of(line)
    assert (run.state, run.reason) == ("done", reason)
    assert Message.objects.get(pk=line.message_id).reason == reason
