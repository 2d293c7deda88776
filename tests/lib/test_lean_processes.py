"""Processes that need little import little: what a library or Django would bring along is left out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from worktool_ai.celery import app
from worktool_ai.lib.lean_imports import without
from worktool_ai.schedule import SCHEDULE


@pytest.mark.parametrize("process", ["worktool_ai.beat", "worktool_ai.events.__main__"])
def test_relay_and_beat_run_without_djangos_apps(process):
    program = f"import sys, {process}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert process in imported
    assert not imported & {"django.db.models", "django.contrib.admin", "robots.models", "rich", "opentelemetry.sdk"}


def test_a_worker_knows_every_task_that_beat_sends_by_name():
    app.loader.import_default_modules()
    assert {entry["task"] for entry in SCHEDULE.values()} <= set(app.tasks)


def test_a_module_is_missing_within_the_block_only():
    with without("wave"), pytest.raises(ImportError):
        import wave
    import wave

    with without("wave"):
        import wave as again

    assert again is wave, "what was imported before stays"
