"""Ringing for work. A doorbell is a hint: rows with a due time are the truth, a poll finds what a lost one forgot.

So ringing never fails and never takes long, whatever the broker does.
"""

from __future__ import annotations

import structlog
from celery import current_app
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

__all__ = ["ring"]

log = structlog.get_logger(__name__)


def ring(count: int = 1) -> None:
    """Tell the workers that about ``count`` conversations are due."""
    if count <= 0:
        return
    try:
        current_app.send_task("flows.advance", args=[count], retry=False)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("doorbell.unheard", error=type(error).__name__)
