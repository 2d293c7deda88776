"""``python -m worktool_ai.beat``: ``celery beat`` without Django's apps, tasks and Celery's command line (50 MB).

It sends by name what ``worktool_ai/schedule.py`` says; the settings must be in the environment.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from celery import Celery
from celery.apps.beat import Beat
from celery.beat import PersistentScheduler
from celery.signals import beat_init, setup_logging
from django.conf import settings

from worktool_ai.lib import failpoints, memory, watchdog
from worktool_ai.schedule import SCHEDULE


class Timetable(PersistentScheduler):  # type: ignore[misc]
    """Ours never changes while it is in force; Celery compares it entry by entry at each tick."""

    def schedules_equal(self, old_schedules: Any, new_schedules: Any) -> bool:
        return True


@setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
def _keep_our_logging(**_: Any) -> None:
    """Connected, it keeps Celery from setting levels of its own."""


@beat_init.connect(weak=False)  # type: ignore[untyped-decorator]
def _settle(**_: Any) -> None:
    watchdog.feed()
    memory.settle()


def application() -> Celery:
    """Return an app that knows the broker and the schedule; without fixups it leaves Django alone."""
    app = Celery("worktool_ai", fixups=[])
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.beat_schedule = SCHEDULE
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="Send tasks when they are due.")
    parser.add_argument("--schedule", required=True, help="file that remembers what was sent when")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worktool_ai.settings")
    failpoints.check(settings.ENVIRONMENT)
    Beat(app=application(), schedule=parser.parse_args().schedule, scheduler=Timetable, quiet=True).run()


if __name__ == "__main__":
    main()
