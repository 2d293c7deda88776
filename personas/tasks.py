"""Celery's part in the AI layer: what is looked at by the clock."""

from __future__ import annotations

from celery import shared_task

from personas import warming
from personas.budgets import standing

__all__ = ["warming", "watch_budgets"]


@shared_task(name="personas.watch_budgets", ignore_result=True)
def watch_budgets() -> None:
    standing.watch()
