"""Celery tasks of the alerts: transport and doorbell. Rows with a due time are the truth."""

from __future__ import annotations

from celery import shared_task

from alerts import deliveries

__all__ = ["deliver_due"]


@shared_task(name="alerts.deliver_due", ignore_result=True, acks_late=True)
def deliver_due() -> None:
    """Deliver what is due; several of these run side by side, and none waits for another's slow channel."""
    deliveries.deliver_due()
