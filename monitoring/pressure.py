"""What piles up inside: each queue against its limit, and one alert for a queue that stays above it.

A line that waits longer than it is fresh is not answered late, so a backlog is silence: somebody has to know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import redis
from django.conf import settings
from django.utils.translation import gettext as _

from alerts import services as alerts
from alerts.models import Alert, AlertState, Level
from flows.engine import claims
from robots import backlog
from robots.limiter import limiter
from robots.models import Command, CommandState
from worktool_ai.lib import clock
from worktool_ai.lib.db import borrowed
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.stores import redis_store

__all__ = ["Queue", "measure", "watch"]

logger = get_logger(__name__)

#: A queue that is above its limit for less is a burst, not a backlog.
PATIENCE_S = 30.0
#: While it lasts, the alert is counted up and told so often.
AGAIN_S = 300.0
#: Seconds after which a measurement that nobody repeated says nothing any more.
FORGOTTEN_S = 60
#: Seconds that the oldest inbound line may wait.
OLDEST_S = 15.0


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue: how many wait, for how many seconds the oldest does (0 where that says nothing)."""

    name: str
    count: int
    limit: int
    oldest_s: float = 0.0

    @property
    def is_high(self) -> bool:
        return self.count > self.limit or self.oldest_s > OLDEST_S

    def sentence(self) -> str:
        names = {
            "inbound": _("Lines that wait to be stored"),
            "engine": _("Conversations that wait for a worker"),
            "outbox": _("Commands that wait to be sent"),
        }
        values = {"what": names[self.name], "count": self.count, "limit": self.limit, "seconds": round(self.oldest_s)}
        if self.oldest_s:
            return _("%(what)s: %(count)d (limit %(limit)d), the oldest for %(seconds)d s") % values
        return _("%(what)s: %(count)d (limit %(limit)d)") % values


def measure() -> list[Queue]:
    """Look at all queues now; raises ``redis.RedisError`` when the durable Redis is away."""
    stream, inbox = backlog.in_stream(), backlog.in_inbox()
    oldest_s = max(_age(stream.oldest_at), _age(inbox.oldest_at))
    queued = Command.objects.filter(state=CommandState.QUEUED).count()
    engine_limit = settings.ENGINE_BACKLOG_LIMIT
    return [
        Queue("inbound", stream.count + inbox.count, settings.INBOUND_BACKLOG_LIMIT, oldest_s),
        Queue("engine", claims.due_count(10 * engine_limit + 1), engine_limit),
        Queue("outbox", queued, settings.OUTBOX_BACKLOG_LIMIT),
    ]


def _age(moment: datetime | None) -> float:
    return max(0.0, (clock.now() - moment).total_seconds()) if moment else 0.0


def watch() -> None:
    """Raise an alert for each queue above its limit for :data:`PATIENCE_S`; close it when the queue is below again."""
    try:
        with borrowed(), redis_store(settings.REDIS_URL) as store:
            for queue in measure():
                _judge(store, queue)
    except (redis.RedisError, OSError) as error:
        # without it nothing is sent either; /readyz says so
        logger.warning("backlog.not_measured", error=type(error).__name__)


def _judge(store: redis.Redis, queue: Queue) -> None:
    key = f"{settings.REDIS_PREFIX}:backlog:{queue.name}"
    if not queue.is_high:
        store.delete(key)
        _close(_open_alerts(queue))
        return
    now = clock.now().timestamp()
    store.set(key, now, nx=True)
    store.expire(key, FORGOTTEN_S)
    since = float(store.get(key) or now)
    if now - since >= PATIENCE_S and limiter().once_per(f"backlog:{queue.name}", AGAIN_S):
        _raise(queue)


def _raise(queue: Queue) -> None:
    draft = alerts.AlertDraft(
        code="backlog",
        level=Level.WARNING,
        title=_("The system is falling behind"),
        fingerprint=_fingerprint(queue),
        data={"text": queue.sentence(), "queue": queue.name, "count": queue.count, "limit": queue.limit},
    )
    raised = alerts.raise_alert(draft)
    alerts.notify(raised.id, level=Level.WARNING, text=queue.sentence())
    logger.warning("backlog.high", queue=queue.name, count=queue.count, limit=queue.limit, oldest_s=queue.oldest_s)


def _open_alerts(queue: Queue) -> Iterable[Alert]:
    return Alert.objects.filter(fingerprint=_fingerprint(queue)).exclude(state=AlertState.RESOLVED)


def _close(found: Iterable[Alert]) -> None:
    for alert in found:
        alerts.resolve(alert.pk, "backlog")
        logger.info("backlog.over", alert=str(alert.pk))


def _fingerprint(queue: Queue) -> str:
    return f"backlog:{queue.name}"
