"""The Celery application: `celery -A worktool_ai.celery worker|beat`.

The package's ``__init__`` stays empty on purpose: Celery patches the process for gevent from its own command line
before anything else of ours is imported.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init

from worktool_ai.lib import watchdog
from worktool_ai.schedule import SCHEDULE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worktool_ai.settings")

app = Celery("worktool_ai")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = SCHEDULE
app.autodiscover_tasks()
# Threads and greenlets that ring a doorbell have no current app of their own.
app.set_default()


@setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
def _keep_our_logging(**_: Any) -> None:
    """Celery would set levels of its own and redirect stderr; connected, it leaves ours (settings.LOGGING) alone."""


@worker_init.connect(weak=False)  # type: ignore[untyped-decorator]
@beat_init.connect(weak=False)  # type: ignore[untyped-decorator]
def _show_life(**_: Any) -> None:
    watchdog.feed()
