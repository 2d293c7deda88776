"""The worker as it is started in earnest: its own process, gevent pool, a thousand slots."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Count

from flows import doorbell
from flows.models import Run, RunState, Step
from flows.services import start_runs
from personas.model_stub.testing import StubClient, running_model_stub
from personas.models import AICall, AIModel, Persona
from robots.models import Command, Mode, Robot
from tests.flows.conftest import stored_line

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.integration]

ROOT = Path(__file__).resolve().parents[2]
NAME = "worker-under-test"
RUNS = 200
#: Longer than it takes to begin all the runs, so that they wait at the same time.
THINKING_S = 3
MOST_CONNECTIONS = 8


@contextmanager
def worker(*options: str) -> Iterator[subprocess.Popen[str]]:
    """Start a worker on this test's database and broker."""
    url, _, _name = os.environ["DATABASE_URL"].rpartition("/")
    own = {"DATABASE_URL": f"{url}/{connection.settings_dict['NAME']}", "PROCESS_NAME": NAME}
    lone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-q", "-A", "worktool_ai.celery", "worker", *options, *lone],
        cwd=ROOT,
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        finally:
            process.kill()


@pytest.fixture
def stub() -> Iterator[StubClient]:
    with running_model_stub() as client:
        client.faults({"kind": "sleep", "value": THINKING_S, "purpose": "intent"})
        yield client


@pytest.fixture
def waiting(seeded: None, robot: Robot, stub: StubClient) -> int:
    """Queue a run for each of many people, for a robot that drafts (so that no platform is needed)."""
    model = AIModel.objects.create(
        name="stub",
        provider="custom",
        model_id="stub",
        capabilities=["intent_recognition", "service_reply", "conversion", "chat"],
        is_active=True,
        api_endpoint=stub.base_url,
        config={"allow_private": True},
    )
    Persona.objects.update(model=model)
    Robot.objects.update(mode=Mode.SHADOW)
    return start_runs([stored_line(robot, "如何退款？", f"客户{number}", "客服群") for number in range(RUNS)])


def until(holds: Callable[[], object], process: subprocess.Popen[str], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def connections(*conditions: str) -> int:
    with connection.cursor() as cursor:
        where = " AND ".join(["application_name = %s", *conditions])
        cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {where}", [NAME])
        return int(cursor.fetchone()[0])


def test_one_task_carries_many_waiting_runs_with_few_connections(waiting: int, stub: StubClient):
    assert waiting == RUNS
    seen: list[int] = []

    def finished() -> bool:
        seen.append(connections())
        return Run.objects.filter(state=RunState.DONE).count() == RUNS

    with worker("-P", "gevent", "-c", "1000") as process:
        doorbell.ring(RUNS)
        until(lambda: stub.stats()["in_flight"] == RUNS, process)
        assert connections("xact_start < now() - interval '1 second'") == 0  # nothing is held while models think
        until(finished, process)
    assert 0 < max(seen) <= MOST_CONNECTIONS
    assert stub.stats()["by_purpose"] == {"intent": RUNS, "reply": RUNS, "picture": 0}
    _everything_is_stored()


def _everything_is_stored() -> None:
    steps = Step.objects.values("run").annotate(number=Count("pk")).values_list("number", flat=True)
    assert list(steps) == [8] * RUNS
    assert AICall.objects.filter(succeeded=True, provider="custom").count() == 2 * RUNS
    assert Command.objects.values("run_id").distinct().count() == Command.objects.count() == RUNS
    assert not Run.objects.exclude(recoveries=0).exists()


@pytest.mark.parametrize(
    ("options", "reasons"),
    [
        (("-P", "threads", "-c", "1000"), ("gevent pool",)),
        (("-P", "gevent", "-c", "10"), ("-c 10 is too few",)),
    ],
)
def test_a_worker_that_would_block_refuses_to_start(options: Sequence[str], reasons: Sequence[str]):
    with worker(*options) as process:
        said = process.communicate(timeout=60)[0]
        assert process.returncode != 0
    assert "not fit for work" in said
    assert all(reason in said for reason in reasons)
