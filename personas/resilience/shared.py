"""Breakers and limits that all processes share, in the broker's Redis: what is lost with it is learnt anew."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import redis
from django.conf import settings

from personas.resilience import scripts
from personas.resilience.rules import BUCKETS, BreakerRules, Report, Verdict, Wanted
from worktool_ai.lib.stores import redis_store

__all__ = ["RedisGates", "StoreError", "redis_gates"]

StoreError = (redis.RedisError, OSError)

#: Seconds that a call may lose to a Redis that does not answer.
TIMEOUT_S = 0.25
#: Connections of one process; each question takes a fraction of a millisecond.
CONNECTIONS = 32
ERROR_CHARS = 300


class RedisGates:
    """Methods raise one of :data:`StoreError` when Redis is away."""

    def __init__(self, store: redis.Redis, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._enter = store.register_script(scripts.ENTER)
        self._report = store.register_script(scripts.REPORT)

    def enter(self, wanted: Wanted, rules: BreakerRules) -> Verdict:
        """Decide about a call, and count it where its model is limited."""
        state, refused, wait_ms, is_probe, second = self._enter(
            keys=[self.breaker_key(wanted.model_id, wanted.capability), self.limits_key(wanted.model_id)],
            args=[
                wanted.token,
                _ms(wanted.lease_s),
                wanted.request_limit,
                wanted.token_limit,
                wanted.tokens,
                int(wanted.obeys_breaker),
            ],
        )
        return Verdict(state.decode(), refused.decode(), int(wait_ms) / 1000, bool(is_probe), int(second))

    def report(self, report: Report, rules: BreakerRules) -> Verdict:
        """Tell what came of a call; returns what holds for the next one."""
        state, refused, wait_ms = self._report(
            keys=[
                self.breaker_key(report.model_id, report.capability),
                self.limits_key(report.model_id),
                self.traffic_key(report.model_id),
            ],
            args=[
                report.token,
                report.outcome,
                _ms(rules.window_s / BUCKETS),
                BUCKETS,
                rules.min_calls,
                rules.failure_rate,
                _ms(rules.open_s),
                _ms(rules.open_max_s),
                report.duration_ms,
                report.error_kind,
                report.error[:ERROR_CHARS],
                _ms(report.pause_s),
                report.tokens_over,
                int(bool(report.capability)),
                report.second,
                report.calls,
            ],
        )
        return Verdict(state.decode(), refused.decode(), int(wait_ms) / 1000)

    def reset(self, model_id: UUID, capabilities: Sequence[str]) -> None:
        """Close these breakers and forget what they have counted."""
        self._store.delete(*(self.breaker_key(model_id, capability) for capability in capabilities))

    def forget_limits(self, model_id: UUID) -> None:
        """Forget what a model has used, and a pause that its vendor asked for."""
        self._store.delete(self.limits_key(model_id))

    def read(self, keys: Sequence[str]) -> tuple[float, list[dict[str, str]]]:
        """Return Redis' time in epoch seconds and these hashes, in one round trip."""
        with self._store.pipeline(transaction=False) as pipe:
            pipe.time()
            for key in keys:
                pipe.hgetall(key)
            (seconds, micros), *hashes = pipe.execute()
        return seconds + micros / 1_000_000, [_text(found) for found in hashes]

    def once_per(self, name: str, seconds: float) -> bool:
        """Tell whether nobody has asked for ``name`` within so many seconds."""
        return bool(self._store.set(f"{self._prefix}:models:{name}", "1", nx=True, px=_ms(seconds)))

    def breaker_key(self, model_id: UUID, capability: str) -> str:
        return f"{self._of(model_id)}:breaker:{capability}"

    def limits_key(self, model_id: UUID) -> str:
        return f"{self._of(model_id)}:limits"

    def traffic_key(self, model_id: UUID) -> str:
        return f"{self._of(model_id)}:traffic"

    def _of(self, model_id: UUID) -> str:
        # The braces keep all keys of a model in one slot of a cluster.
        return f"{self._prefix}:{{model:{model_id}}}"


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _text(found: dict[Any, Any]) -> dict[str, str]:
    return {name.decode(): value.decode("utf-8", "replace") for name, value in found.items()}


def redis_gates() -> RedisGates:
    """Return this process's own."""
    return _redis_gates(settings.REDIS_BROKER_URL, settings.REDIS_PREFIX)


@lru_cache(maxsize=2)
def _redis_gates(url: str, prefix: str) -> RedisGates:
    return RedisGates(redis_store(url, TIMEOUT_S, connections=CONNECTIONS), prefix)
