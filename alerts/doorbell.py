"""Ringing for the deliverer. A hint only: rows with a due time are the truth, and a poll finds them each second."""

from __future__ import annotations

from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from worktool_ai.lib.logs import get_logger

__all__ = ["ring"]

logger = get_logger(__name__)


def ring() -> None:
    """Tell the workers that deliveries are due; never fails, whatever the broker does."""
    try:
        current_app.send_task("alerts.deliver_due", retry=False)
    except (OperationalError, RedisError, OSError) as error:
        logger.warning("doorbell.unheard", error=type(error).__name__)
