"""How well models do: judged from their traffic, and from a tiny question where there was none.

``watch()`` looks every few seconds. A change becomes a row of AIModelHealthCheck at once, an unchanged state with calls
every :data:`HISTORY_EVERY`. ``down``: nothing but failures, or every breaker that was used is open. ``degraded``: some
breaker is, or every fifth call fails, or answers are slow. No calls: what was last known stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone

from personas import caches
from personas.hotpath import insert_ai_calls
from personas.models import AICall, AIModelHealthCheck, AITask, HealthSource, HealthStatus
from personas.providers import registry
from personas.resilience.shared import StoreError, redis_gates
from personas.resilience.status import ModelStatus, Traffic, read
from personas.selection import ModelSnapshot, why_unusable
from personas.service import AIService
from personas.types import CallScope
from worktool_ai.lib import clock
from worktool_ai.lib.concurrency import run_all
from worktool_ai.lib.db import borrowed, tx
from worktool_ai.lib.logs import get_logger

__all__ = ["PROBE", "ProbeCount", "down", "judge", "probes_today", "watch"]

logger = get_logger(__name__)

#: A state that stays is told again so often while there are calls.
HISTORY_EVERY = timedelta(minutes=5)
#: After one failure of a model without traffic the next question comes sooner: was it only once?
DOUBT_S = 120.0
#: Share of failed calls from which on a model is degraded.
SOME_FAIL = 0.2
#: Nothing but so many failures is down.
ONLY_FAILURES = 2
#: ``AICall.node_id`` of a probe.
PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Finding:
    status: HealthStatus
    response_ms: int | None
    error: str


@dataclass(frozen=True, slots=True)
class ProbeCount:
    """Probes of one model today (local time) and what they cost; None where a price is unknown."""

    count: int = 0
    cost: Decimal | None = None


def watch() -> None:
    """Ask idle models, judge all active ones, and write what has changed. Does nothing while Redis is away."""
    models = _watched()
    try:
        if not models or not redis_gates().once_per("watch", 4.0):
            return
        probed = _probe(_idle(models, read(models)))
    except StoreError as error:
        logger.warning("model_health_unknown", error=type(error).__name__)
        return
    found = read(models)
    findings = {pk: finding for pk, status in found.items() if (finding := judge(status))}
    with tx():
        _write(findings, probed, _latest(findings))


def judge(status: ModelStatus) -> Finding | None:
    """Judge a model by its last five minutes and its breakers; None without any news."""
    traffic = status.traffic
    used = [one for one in status.breakers if one.state != "closed" or one.good or one.failed]
    not_closed = [one for one in used if one.state != "closed"]
    calls = traffic.good + traffic.failed
    if not calls and not not_closed:
        return None
    worst = HealthStatus.HEALTHY
    if (used and len(not_closed) == len(used)) or (not traffic.good and traffic.failed >= ONLY_FAILURES):
        worst = HealthStatus.DOWN
    elif not_closed or traffic.failed > calls * SOME_FAIL or (traffic.mean_ms or 0) > settings.MODEL_SLOW_MS:
        worst = HealthStatus.DEGRADED
    return Finding(worst, traffic.mean_ms, _error(traffic) if worst != HealthStatus.HEALTHY else "")


def down() -> list[UUID]:
    """Return the active models that are down as far as is known."""
    watched = [model.id for model in _watched()]
    return [pk for pk, row in _latest(watched).items() if row.status == HealthStatus.DOWN]


def probes_today(models: Iterable[UUID]) -> Mapping[UUID, ProbeCount]:
    """Return today's probes of these models and their cost."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = (
        AICall.objects.filter(task=AITask.HEALTH, node_id=PROBE, model__in=list(models), created_at__gte=midnight)
        .order_by()
        .values_list("model")
        .annotate(n=Count("*"), known=Count("cost"), spent=Sum("cost"))
    )
    return {pk: ProbeCount(n, spent if known == n else None) for pk, n, known, spent in rows}


def _watched() -> list[ModelSnapshot]:
    return [
        model
        for model in caches.cast().models.values()
        if why_unusable(model) is None and registry.get(model.provider).is_remote
    ]


def _idle(models: Sequence[ModelSnapshot], found: Mapping[UUID, ModelStatus]) -> list[ModelSnapshot]:
    """Return the models whose turn it is to be asked; each is asked by one process only."""
    if not settings.MODEL_PROBES_PER_DAY:
        return []
    quiet = [model for model in models if model.id in found and _is_quiet(found[model.id].traffic, clock.now())]
    if not quiet:
        return []
    with borrowed():
        counts = probes_today(model.id for model in quiet)
    return [
        model
        for model in quiet
        if counts.get(model.id, ProbeCount()).count < settings.MODEL_PROBES_PER_DAY
        and redis_gates().once_per(f"probe:{model.id}", DOUBT_S / 2)
    ]


def _is_quiet(traffic: Traffic, now: datetime) -> bool:
    patience_s = settings.MODEL_PROBE_IDLE_S
    if not traffic.good and 0 < traffic.failed < ONLY_FAILURES:
        patience_s = min(patience_s, DOUBT_S)
    return traffic.last_at is None or (now - traffic.last_at).total_seconds() >= patience_s


def _probe(models: Sequence[ModelSnapshot]) -> frozenset[UUID]:
    run_all([partial(_probe_one, model) for model in models])
    return frozenset(model.id for model in models)


def _probe_one(model: ModelSnapshot) -> None:
    service = AIService(CallScope(node_id=PROBE))
    service.probe(model)
    with tx(), connection.cursor() as cursor:
        insert_ai_calls(cursor, service.scope.calls)


def _latest(models: Iterable[UUID]) -> dict[UUID, AIModelHealthCheck]:
    with borrowed():
        rows = AIModelHealthCheck.objects.filter(model__in=list(models)).order_by("model_id", "-checked_at")
        return {row.model_id: row for row in rows.distinct("model_id")}


def _write(
    findings: Mapping[UUID, Finding], probed: frozenset[UUID], latest: Mapping[UUID, AIModelHealthCheck]
) -> None:
    for pk, finding in findings.items():
        before = latest.get(pk)
        is_change = before is None or before.status != finding.status
        if not is_change and before and clock.now() - before.checked_at < HISTORY_EVERY:
            continue
        AIModelHealthCheck.objects.create(
            model_id=pk,
            status=finding.status,
            source=HealthSource.PROBE if pk in probed else HealthSource.TRAFFIC,
            response_time=finding.response_ms,
            error_message=finding.error,
        )
        if is_change:
            logger.info("model_health", model=str(pk), status=finding.status, error=finding.error)


def _error(traffic: Traffic) -> str:
    return f"{traffic.error_kind}: {traffic.error}" if traffic.error_kind else ""
