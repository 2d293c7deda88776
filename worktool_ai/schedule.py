"""What beat sends, and how often. By name: whoever keeps the time knows no task.

The poll finds what a lost doorbell forgot: rows with a due time are the truth, never a task.
"""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

__all__ = ["SCHEDULE"]


def _every(seconds: float, task: str) -> dict[str, Any]:
    """Send a task each so many seconds; one that nobody took until the next is worthless."""
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}


SCHEDULE: dict[str, dict[str, Any]] = {
    "engine-poll": _every(1.0, "flows.poll"),
    "outbox-poll": _every(1.0, "robots.poll_outbox"),
    "reconcile": _every(2.0, "robots.reconcile"),
    "learn-pace": _every(60.0, "robots.learn_pace"),
    "recover": _every(2.0, "robots.recover"),
    "connect-pending": _every(5.0, "robots.connect_pending"),
    "deliveries-poll": _every(1.0, "alerts.deliver_due"),
    "budgets": _every(60.0, "personas.watch_budgets"),
    "backlog": _every(5.0, "monitoring.watch_backlog"),
    "models": _every(10.0, "monitoring.watch_models"),
    "secrets": _every(600.0, "monitoring.watch_secrets"),
    "retention": _every(300.0, "retention.sweep"),
    # in UTC: ten past four at night in China
    "consistency": {"task": "monitoring.check_consistency", "schedule": crontab(hour="20", minute="10")},
    "beat-heartbeat": _every(2.0, "flows.heartbeat"),
}
