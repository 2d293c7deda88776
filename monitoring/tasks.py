"""Celery's part in monitoring: what is looked at by the clock."""

from __future__ import annotations

from celery import shared_task

from monitoring import model_health, pressure
from monitoring.consistency import nightly

__all__ = ["check_consistency", "watch_backlog", "watch_models"]


@shared_task(name="monitoring.check_consistency", ignore_result=True)
def check_consistency() -> None:
    nightly.run()


@shared_task(name="monitoring.watch_backlog", ignore_result=True)
def watch_backlog() -> None:
    pressure.watch()


@shared_task(name="monitoring.watch_models", ignore_result=True)
def watch_models() -> None:
    model_health.watch()
