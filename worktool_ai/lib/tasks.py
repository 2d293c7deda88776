"""The kernel's only Celery task."""

from __future__ import annotations

from celery import shared_task

from worktool_ai.lib import retention

__all__ = ["sweep"]


@shared_task(name="retention.sweep", ignore_result=True)
def sweep() -> None:
    """Delete what every app has kept long enough (:mod:`worktool_ai.lib.retention`)."""
    retention.sweep()
