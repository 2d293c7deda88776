"""What is old goes in batches, what is young or still referred to stays, and so does the audit log."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings

import worktool_ai.celery
from flows.models import Effect, Run, RunState, Step
from personas.models import AICall
from robots.models import Command, CommandState, Fingerprint, Message, Switch
from tests.monitoring import builders
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import AuditEntry
from worktool_ai.events.models import EventBatch
from worktool_ai.lib import clock, ids, retention

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LONG_AGO = timedelta(days=settings.RETENTION_DAYS + 1)


def minted(moment: datetime) -> UUID:
    """An id as it was minted then."""
    return UUID(int=ids.first_at(moment).int | (ids.uuid7().int & (1 << 80) - 1))


def fingerprints(count: int, age: timedelta) -> None:
    moment = clock.now() - age
    Fingerprint.objects.bulk_create(
        Fingerprint(digest=f"{age.days}-{n}", message_id=ids.uuid7(), last_at=moment) for n in range(count)
    )


def old_line(**fields) -> Message:
    then = clock.now() - LONG_AGO
    return builders.line(builders.robot(), id=minted(then), received_at=then, **fields)


def test_a_bound_lies_between_ids_of_two_moments():
    moment = clock.now()
    assert minted(moment - timedelta(milliseconds=2)) < ids.first_at(moment) <= minted(moment)


def test_the_oldest_go_first_and_no_more_than_a_batch():
    fingerprints(3, 10 * DAY)
    fingerprints(2, 9 * DAY)
    assert retention.delete_older(Fingerprint, DAY, column="last_at", batch=3) == 3
    assert sorted(Fingerprint.objects.values_list("digest", flat=True)) == ["9-0", "9-1"]


def test_younger_rows_are_never_touched():
    fingerprints(4, timedelta(hours=23))
    assert retention.delete_older(Fingerprint, DAY, column="last_at") == 0
    assert Fingerprint.objects.count() == 4


def test_a_sweep_goes_on_batch_by_batch_until_nothing_old_is_left():
    fingerprints(7, 10 * DAY)
    fingerprints(2, DAY)
    gone = retention.sweep(batch=2, pause_s=0)
    assert gone["robots.fingerprint by last_at"] == 7
    assert Fingerprint.objects.count() == 2


def test_a_sweep_that_has_used_its_time_leaves_the_rest_to_the_next():
    fingerprints(5, 10 * DAY)
    assert retention.sweep(batch=2, pause_s=0, budget_s=0)["robots.fingerprint by last_at"] == 2
    assert Fingerprint.objects.count() == 3


def test_a_table_that_cannot_be_cleaned_does_not_keep_the_others(monkeypatch):
    def fail(batch: int) -> int:
        raise RuntimeError("no such table")

    monkeypatch.setattr(retention, "_cleaners", {"broken": fail, **retention._cleaners})
    fingerprints(1, 10 * DAY)
    gone = retention.sweep(pause_s=0)
    assert "broken" not in gone
    assert not Fingerprint.objects.exists()


def test_every_table_has_a_time_or_a_reason():
    tables = [model for model in apps.get_models() if not model._meta.proxy]
    assert [model._meta.label for model in tables if not retention.stated(model)] == []


def test_what_is_never_swept_is_not_swept_either():
    assert retention.stated(Run) == "kept"
    both = [label for label in retention._reasons if label in retention._kept]
    assert both == []


def test_a_stop_that_was_lifted_long_ago_goes_and_one_in_force_stays():
    robot, long_ago = builders.robot(), clock.now() - LONG_AGO
    stop = {"why": "演练", "set_by": "test", "since": long_ago}
    in_force = Switch.objects.create(scope="all", **stop)
    Switch.objects.create(scope="robot", robot=robot, lifted_at=long_ago, **stop)
    young = Switch.objects.create(scope="robot", robot=robot, lifted_at=clock.now() - DAY, **stop)
    retention.sweep(pause_s=0)
    assert set(Switch.objects.all()) == {in_force, young}


def test_a_run_goes_with_its_steps_and_then_its_line_and_command():
    line = old_line(reason="answered")
    said = builders.answer(line)
    then = line.received_at
    Message.objects.filter(pk=said.pk).update(received_at=then)
    run = builders.run(line, id=minted(then))
    Step.objects.create(run=run, ordinal=1, node_id="a", node_type="end", started_at=then, ended_at=then)
    Effect.objects.create(run=run, node_id="a", ordinal=0, kind="ask_model", created_at=then)
    AICall.objects.create(
        id=minted(then), task="reply", provider="local", succeeded=True, duration_ms=1, created_at=then
    )

    for _ in range(2):  # a row goes when what refers to it has gone
        retention.sweep(pause_s=0)
    assert not Run.objects.exists()
    assert not Step.objects.exists()
    assert not Effect.objects.exists()
    assert not AICall.objects.exists()
    assert list(Message.objects.all()) == [said], "the answer was written just now"
    assert Command.objects.count() == 1


@pytest.mark.parametrize("state", [RunState.ACTIVE, RunState.SETTLING])
def test_a_run_that_has_not_ended_keeps_its_line(state):
    line = old_line(reason="answered")
    builders.run(line, id=minted(line.received_at), state=state)
    retention.sweep(pause_s=0)
    assert Run.objects.count() == Message.objects.count() == 1


def test_an_open_line_stays_to_be_seen():
    old_line()
    retention.sweep(pause_s=0)
    assert Message.objects.count() == 1


def test_a_line_stays_as_long_as_its_repetition():
    original = old_line(reason="answered")
    builders.line(original.robot, sender="李四", duplicate_of=original, reason="duplicate")
    retention.sweep(pause_s=0)
    assert Message.objects.count() == 2


def test_a_command_without_a_line_is_told_by_its_time_not_its_id():
    robot = builders.robot()
    low = UUID("00000000-0000-5000-8000-000000000001")  # as a hash can be: below every time
    values = {"robot": robot, "target": "运营群", "payload": {}, "state": CommandState.DONE}
    Command.objects.create(id=low, created_at=clock.now(), **values)
    Command.objects.create(created_at=clock.now() - LONG_AGO, **values)
    retention.sweep(pause_s=0)
    assert [command.pk for command in Command.objects.all()] == [low]


def test_events_are_swept_too():
    EventBatch.objects.bulk_create(EventBatch(items=[]) for _ in range(3))
    EventBatch.objects.update(created_at=clock.now() - 3 * DAY)
    assert retention.sweep(pause_s=0)["events.eventbatch"] == 2


def test_the_audit_log_is_never_swept():
    audit.record("test", "thing.change", builders.robot())
    assert not [name for name in retention.sweep(pause_s=0) if name.startswith("accounts.")]
    assert AuditEntry.objects.count() == 1


def test_the_scheduled_task_exists():
    app = worktool_ai.celery.app
    app.loader.import_default_modules()
    missing = {entry["task"] for entry in app.conf.beat_schedule.values()} - set(app.tasks)
    assert not missing
