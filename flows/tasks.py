"""Celery tasks of the engine: transport and doorbell. Rows with a due time are the truth."""

from __future__ import annotations

from celery import shared_task

from flows.engine import claims, startup, waits, worker
from worktool_ai.lib.heartbeats import beat

__all__ = ["advance", "heartbeat", "poll", "startup"]

POLL_LIMIT = 1000


@shared_task(name="flows.advance", ignore_result=True, acks_late=True)
def advance(count: int) -> None:
    """Advance due conversations; returns when the last one that it claimed has left the worker."""
    worker.advance(count)


@shared_task(name="flows.poll", ignore_result=True)
def poll() -> None:
    """Find what a lost doorbell forgot: conversations that are due, waits whose time is up."""
    waits.wake_due()
    due = claims.due_count(POLL_LIMIT)
    beat("worker", detail=f"{worker.slots.free()} slots free, {due} conversations due", lag=due)
    if due:
        worker.advance(due)


@shared_task(name="flows.heartbeat", ignore_result=True)
def heartbeat() -> None:
    """Shows that beat is alive: only its schedule sends this."""
    beat("beat")
