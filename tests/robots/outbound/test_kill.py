"""A sender that is killed at the worst moments: one line at the customer's, every time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection

from robots import outbox, reconcile
from robots.models import Command
from robots.simulator.testing import SimulatorClient
from tests.robots.outbound.conftest import Queue, ago, state_of
from tests.robots.outbound.test_reconcile import TIMES

DRAIN = "import django; django.setup(); from robots import outbox; outbox.drain()"


def drain_elsewhere(failpoints: str, base_url: str) -> int:
    """Drain in a process of its own; returns its exit status."""
    database = connection.settings_dict
    url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(database)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "worktool_ai.settings",
        "DATABASE_URL": url,
        "WORKTOOL_BASE_URL": base_url,
        "FAILPOINTS": failpoints,
    }
    done = subprocess.run(
        [sys.executable, "-c", DRAIN], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.mark.integration
@pytest.mark.parametrize("point", ["outbox.before_claim", "outbox.after_mark", "outbox.after_answer"])
def test_killed_there_the_line_is_said_once(queue: Queue, simulator: SimulatorClient, point: str) -> None:
    command = queue("只说一次")
    assert drain_elsewhere(f"{point}=kill", simulator.url) == -signal.SIGKILL
    assert state_of(command) == ("queued" if point == "outbox.before_claim" else "sending")
    for seconds in (settings.WORKTOOL_TIMEOUT_S + TIMES.process_gone_s + 1, 66):
        Command.objects.filter(state__in=["sending", "unknown"]).update(sending_at=ago(seconds))
        reconcile.run(TIMES)
    # each second, as the poll does: for a moment the turn is still with the process that is gone
    simulator.wait_for(lambda: outbox.drain() >= 0 and len(simulator.sends()) == 1)
    assert [entry["commands"][0]["receivedContent"] for entry in simulator.sends()] == ["只说一次"]
    assert set(Command.objects.values_list("state", flat=True)) <= {"accepted", "done", "not_accepted"}
