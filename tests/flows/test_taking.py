"""Runs that only have to be closed are closed where they are claimed."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from flows.engine import runner, taking
from flows.models import ConversationLease, RunState, Step
from robots import hooks
from robots.models import Command, CommandState
from tests.flows.conftest import Say, lease_of, run_of
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]


def results_come() -> None:
    with transaction.atomic():
        commands = list(Command.objects.values_list("pk", flat=True))
        Command.objects.update(state=CommandState.DONE, sending_at=now(), final_at=now())
        hooks.commands_final(commands)


def test_a_run_whose_result_has_come_is_closed_in_the_transaction_that_claims_it(say: Say, work: Any) -> None:
    lines = [say("如何退款？", sender=f"客户{number}") for number in range(3)]
    work()
    results_come()
    with CaptureQueriesContext(connection) as queries:
        taken = taking.take(10)
    assert (taken.claimed, taken.heads) == (3, [])
    assert [run_of(line).state for line in lines] == [RunState.DONE] * 3
    assert not ConversationLease.objects.exclude(due_at=None, until=None, holder="").exists()
    said = [query["sql"] for query in queries if "xmin" not in query["sql"]]
    assert sum(sql.startswith("COMMIT") for sql in said) == 1, said
    assert len(said) == len(["BEGIN", "claim", "heads", "write", "COMMIT"]), said


def test_the_next_line_of_the_same_person_is_walked_at_once(say: Say, work: Any) -> None:
    first = say("如何退款？")
    work()
    results_come()
    second = say("快递到哪了？")
    taken = taking.take(10)
    assert run_of(first).state == RunState.DONE
    assert [head.run_id for head in taken.heads] == [run_of(second).pk]
    runner.advance_conversation(taken.heads[0])
    assert lease_of(first).queued == 0
    assert Command.objects.filter(run_id=run_of(second).pk).exists()


def test_one_that_cannot_be_written_does_not_stand_in_the_way_of_the_others(
    say: Say, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(head: Any) -> Any:
        progress = close(head)
        if progress and head.run_id == run_of(bad).pk:
            progress.run_id = head.claim.conversation_id  # no such run
        return progress

    good, bad = [say("如何退款？", sender=f"客户{number}") for number in range(2)]
    work()
    results_come()
    close = runner.close
    monkeypatch.setattr(runner, "close", spoil)
    taken = taking.take(10)
    assert len(taken.heads) == 2, "each is walked by itself"
    for head in taken.heads:
        runner.advance_conversation(head)
    assert [run_of(line).state for line in (good, bad)] == [RunState.DONE] * 2


def test_a_walk_that_breaks_off_is_left_to_be_walked_where_that_counts(
    say: Say, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = say("如何退款？")
    work()
    results_come()
    steps = Step.objects.count()
    monkeypatch.setattr(runner.Walk, "finish", lambda *_: 1 / 0)
    taken = taking.take(10)
    assert [head.run_id for head in taken.heads] == [run_of(line).pk]
    assert Step.objects.count() == steps
