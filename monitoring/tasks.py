"""Celery's part in monitoring: what is looked at by the clock."""

from __future__ import annotations

from celery import shared_task

from monitoring import model_health, pressure, unreadable_secrets
from monitoring.consistency import nightly

__all__ = ["check_consistency", "watch_backlog", "watch_models", "watch_secrets"]


@shared_task(name="monitoring.check_consistency", ignore_result=True)
def check_consistency() -> None:
    nightly.run()


@shared_task(name="monitoring.watch_backlog", ignore_result=True)
def watch_backlog() -> None:
    pressure.watch()


@shared_task(name="monitoring.watch_models", ignore_result=True)
def watch_models() -> None:
    model_health.watch()


@shared_task(name="monitoring.watch_secrets", ignore_result=True)
def watch_secrets() -> None:
    unreadable_secrets.watch()
