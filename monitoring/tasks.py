"""Celery's part in monitoring: what is looked at by the clock."""

from __future__ import annotations

from celery import shared_task

from monitoring.consistency import nightly

__all__ = ["check_consistency"]


@shared_task(name="monitoring.check_consistency", ignore_result=True)
def check_consistency() -> None:
    nightly.run()
