"""Walks, renewals and commits that meet on the same rows."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from flows.engine import claims, store
from flows.engine.group_writer import GroupWriter
from flows.engine.interpreter import StepRecord
from flows.engine.store import Progress
from flows.models import ConversationLease, Run, RunState
from tests.flows.conftest import lease_of, run_of
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]


def test_a_renewal_does_not_wait_for_a_lease_that_its_walk_is_writing(say):
    written, waiting = lease_of(say("如何退款？")), lease_of(say("如何退款？", sender="李四"))
    claims.claim(2)
    ConversationLease.objects.update(until=now() + timedelta(seconds=1))
    locked, renewed = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            ConversationLease.objects.select_for_update().get(pk=written.pk)
            locked.set()
            renewed.wait(20)
        connection.close()

    walk = threading.Thread(target=write)
    walk.start()
    assert locked.wait(10)
    try:
        claims.renew([written.pk, waiting.pk])
        waiting.refresh_from_db()
        assert waiting.until is not None
        assert waiting.until > now() + timedelta(seconds=2)
    finally:
        renewed.set()
        walk.join()


@pytest.fixture
def group(say) -> list[Progress]:
    """Three claimed runs whose walks want to end."""
    lines = [say("如何退款？", sender=name) for name in ("张三", "李四", "王五")]
    heads = {head.claim.conversation_id: head for head in claims.head_runs(claims.claim(3))}
    found = [heads[line.conversation_id] for line in lines]
    assert [run_of(line).state for line in lines] == [RunState.ACTIVE] * 3
    return [Progress(head.claim, head.run_id, state="done", ended_at=now()) for head in found]


def commit_together(group: list[Progress]) -> list[int | Exception | None]:
    writer = GroupWriter()
    writer.walking = len(group)
    results: list[int | Exception | None] = [None] * len(group)

    def commit(number: int) -> None:
        try:
            results[number] = writer.commit(group[number])
        except Exception as error:
            results[number] = error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(group)) as pool:
        list(pool.map(commit, range(len(group))))
    return results


def test_a_deadlock_takes_nobody_out_of_the_group(group, monkeypatch):
    write, sizes = store.write, []

    def write_after_a_deadlock(members):
        sizes.append(len(members))
        if len(sizes) == 1:
            raise OperationalError("deadlock detected")
        return write(members)

    monkeypatch.setattr(store, "write", write_after_a_deadlock)
    assert commit_together(group) == [0, 0, 0]
    assert sizes[0] == sizes[1]  # as one group again, not one by one
    assert Run.objects.filter(state=RunState.DONE).count() == 3


def test_a_database_that_is_away_is_not_asked_once_for_each_member(group, monkeypatch):
    attempts = []

    def refuse(members: list[Progress]) -> dict:
        attempts.append(len(members))
        raise OperationalError("the database is starting up")

    monkeypatch.setattr(store, "write", refuse)
    assert all(isinstance(result, OperationalError) for result in commit_together(group))
    assert sum(attempts) == 2 * len(group)


def test_bad_data_of_one_member_fails_that_member_alone(group):
    group[1].run_id = group[1].claim.conversation_id
    group[1].steps = [_step_of_nothing()]
    first, bad, last = commit_together(group)
    assert (first, last) == (0, 0)
    assert isinstance(bad, IntegrityError)
    assert Run.objects.filter(state=RunState.DONE).count() == 2


def _step_of_nothing() -> StepRecord:
    return StepRecord(ordinal=0, node_id="end", node_type="end", port="", patch={}, started_at=now(), ended_at=now())
