"""The Celery application: `celery -A worktool_ai.celery worker|beat`.

The package's ``__init__`` stays empty on purpose: Celery patches the process for gevent from its own command line
before anything else of ours is imported.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import beat_init, setup_logging, worker_init

from worktool_ai.lib import watchdog

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worktool_ai.settings")

app = Celery("worktool_ai")
app.config_from_object("django.conf:settings", namespace="CELERY")
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


#: The poll finds what a lost doorbell forgot: rows with a due time are the truth, never a task.
app.conf.beat_schedule = {
    "engine-poll": {"task": "flows.poll", "schedule": 1.0, "options": {"expires": 1.0}},
    "outbox-poll": {"task": "robots.poll_outbox", "schedule": 1.0, "options": {"expires": 1.0}},
    "reconcile": {"task": "robots.reconcile", "schedule": 2.0, "options": {"expires": 2.0}},
    "learn-pace": {"task": "robots.learn_pace", "schedule": 60.0, "options": {"expires": 60.0}},
    "recover": {"task": "robots.recover", "schedule": 2.0, "options": {"expires": 2.0}},
    "connect-pending": {"task": "robots.connect_pending", "schedule": 5.0, "options": {"expires": 5.0}},
    "deliveries-poll": {"task": "alerts.deliver_due", "schedule": 1.0, "options": {"expires": 1.0}},
    "budgets": {"task": "personas.watch_budgets", "schedule": 60.0, "options": {"expires": 60.0}},
    "backlog": {"task": "monitoring.watch_backlog", "schedule": 5.0, "options": {"expires": 5.0}},
    "models": {"task": "monitoring.watch_models", "schedule": 10.0, "options": {"expires": 10.0}},
    "secrets": {"task": "monitoring.watch_secrets", "schedule": 600.0, "options": {"expires": 600.0}},
    "retention": {"task": "retention.sweep", "schedule": 300.0, "options": {"expires": 300.0}},
    # in UTC: ten past four at night in China
    "consistency": {"task": "monitoring.check_consistency", "schedule": crontab(hour="20", minute="10")},
    "beat-heartbeat": {"task": "flows.heartbeat", "schedule": 2.0, "options": {"expires": 2.0}},
}
