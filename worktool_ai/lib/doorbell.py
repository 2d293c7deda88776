"""Ringing for work. A doorbell is a hint: rows with a due time are the truth, and a poll finds what a lost one forgot.

So ringing never fails and never takes long, whatever the broker does: it has connections of its own with short
time-outs, and after a failure nobody rings for a moment, so that a dead broker does not slow every commit.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from celery import Celery, current_app
from kombu.exceptions import KombuError
from kombu.pools import producers
from redis.exceptions import RedisError

from worktool_ai.lib.logs import get_logger

__all__ = ["ring"]

logger = get_logger(__name__)

#: A broker that has not answered by then is not waited for.
PATIENCE_S = 0.4
#: After a failure the bell stays silent for so long; the polls go round each second.
SILENCE_S = 1.0
#: A doorbell that nobody heard for so long is not worth answering: the poll has been round.
STALE_S = 10.0

_BOUNDED = {"socket_connect_timeout": PATIENCE_S, "socket_timeout": PATIENCE_S, "max_retries": 0}


class _Silence:
    """Until when this process does not ring."""

    until = float("-inf")


def ring(task: str, *args: Any, expires: float = STALE_S) -> None:
    """Ask a worker to run a task (by name); within half a second, and without an exception if the broker is away."""
    if time.monotonic() < _Silence.until:
        return
    try:
        with _producers(current_app._get_current_object()).acquire(block=True, timeout=PATIENCE_S) as producer:
            # without ignore_result Celery builds a result backend in every greenlet that rings
            current_app.send_task(task, args=args, expires=expires, retry=False, producer=producer, ignore_result=True)
    except (KombuError, RedisError, OSError) as error:
        _Silence.until = time.monotonic() + SILENCE_S
        logger.warning("doorbell.unheard", task=task, error=type(error).__name__)


@lru_cache(maxsize=4)
def _producers(app: Celery) -> Any:
    """Return the pool of producers of an app whose connections give up soon."""
    return producers[app.connection_for_write(transport_options=_BOUNDED)]
