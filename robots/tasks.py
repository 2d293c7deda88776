"""Celery's part in the gateway: a doorbell and a poll. What is due stands in the tables, never in a task."""

from __future__ import annotations

from celery import shared_task
from kombu.exceptions import OperationalError

from robots import connecting, outbox, outbox_claim, reconcile, results
from robots.models import Command, CommandState
from worktool_ai.lib.db import tx
from worktool_ai.lib.heartbeats import beat
from worktool_ai.lib.logs import get_logger

__all__ = ["connect_pending", "drain_outbox", "poll_outbox", "reconcile_commands", "ring_outbox"]

logger = get_logger(__name__)

#: A doorbell that nobody heard so long is not worth answering: the poll has been round.
DOORBELL_S = 10


def ring_outbox() -> None:
    """Tell a worker that commands are queued. Never fails: the poll finds within a second what a lost ring forgot."""
    try:
        drain_outbox.apply_async(expires=DOORBELL_S, retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("outbox.unheard", error=type(error).__name__)


@shared_task(name="robots.drain_outbox", ignore_result=True)
def drain_outbox() -> None:
    outbox.drain(ring_outbox)


@shared_task(name="robots.poll_outbox", ignore_result=True)
def poll_outbox() -> None:
    """Each second: close what may not leave any more, join what missed each other, send what is due."""
    with tx():
        outbox_claim.close_overdue()
        results.adopt_strays()
        waiting = Command.objects.filter(state=CommandState.QUEUED).count()
    beat("outbox", detail=f"{waiting} queued", lag=waiting)
    outbox.drain(ring_outbox)


@shared_task(name="robots.reconcile", ignore_result=True)
def reconcile_commands() -> None:
    reconcile.run()
    outbox.drain(ring_outbox)


@shared_task(name="robots.connect_pending", ignore_result=True)
def connect_pending() -> None:
    connecting.connect_demo_robots()
