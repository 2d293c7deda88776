"""How models stand now, for people and for judging their health: read from Redis in one round trip, changes nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from personas import caches
from personas.resilience.rules import BUCKETS, LIMIT_WINDOW_S, BreakerRules, State
from personas.resilience.scripts import TRAFFIC_BUCKET_MS, TRAFFIC_BUCKETS
from personas.resilience.shared import StoreError, redis_gates
from personas.selection import ModelSnapshot

__all__ = ["BreakerStatus", "ModelStatus", "Traffic", "current", "forget", "read"]

_COUNT = re.compile(r"([a-z])(\d+)$")
#: Many rows of a page are shown from one look.
REUSED_S = 1.0


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """One breaker: calls in its window (or those that opened it), and for how many seconds nothing passes.

    ``held``: by a person.
    """

    capability: str
    state: State = "closed"
    held: str = ""
    good: int = 0
    failed: int = 0
    wait_s: float = 0.0

    @property
    def refuses(self) -> bool:
        return self.held == "open" or (self.held != "closed" and self.wait_s > 0)


@dataclass(frozen=True, slots=True)
class Traffic:
    """The last five minutes, and the last call, answer and error of the last week."""

    good: int = 0
    failed: int = 0
    mean_ms: int | None = None
    last_ms: int | None = None
    last_at: datetime | None = None
    answered_at: datetime | None = None
    failed_at: datetime | None = None
    error_kind: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model; ``requests`` and ``tokens`` are what it has used within a minute, where it is limited."""

    breakers: tuple[BreakerStatus, ...] = ()
    traffic: Traffic = field(default_factory=Traffic)
    requests: int = 0
    tokens: int = 0
    paused_s: float = 0.0

    def breaker(self, capability: str) -> BreakerStatus:
        return next((one for one in self.breakers if one.capability == capability), BreakerStatus(capability))


def read(models: Sequence[ModelSnapshot]) -> dict[UUID, ModelStatus]:
    """Look at these models; empty while Redis is away: unknown is not closed."""
    gates = redis_gates()
    keys, rules = list[str](), BreakerRules.from_settings()
    for model in models:
        keys += [gates.breaker_key(model.id, capability) for capability in sorted(model.capabilities)]
        keys += [gates.limits_key(model.id), gates.traffic_key(model.id)]
    try:
        now, found = gates.read(keys)
    except StoreError:
        return {}
    hashes = iter(found)
    return {model.id: _status(model, hashes, now, rules) for model in models}


def current() -> Mapping[UUID, ModelStatus]:
    """Return how all models stand that may be asked, as of a second ago at most."""
    return _recent.get()


def forget() -> None:
    """Look again at the next question, in this process."""
    _recent.clear()


def _status(model: ModelSnapshot, hashes: Iterator[Mapping[str, str]], now: float, rules: BreakerRules) -> ModelStatus:
    breakers = tuple(_breaker(model, name, next(hashes), now, rules) for name in sorted(model.capabilities))
    limits, traffic = next(hashes), next(hashes)
    used = _counts(limits, int(now) - LIMIT_WINDOW_S)
    paused_s = max(0.0, float(limits.get("paused", 0)) / 1000 - now)
    return ModelStatus(breakers, _traffic(traffic, now), used.get("r", 0), used.get("t", 0), paused_s)


def _breaker(
    model: ModelSnapshot, capability: str, found: Mapping[str, str], now: float, rules: BreakerRules
) -> BreakerStatus:
    counts = _counts(found, int(now / (rules.window_s / BUCKETS)) - BUCKETS + 1)
    state: State = found.get("state", "closed")  # type: ignore[assignment]
    ends = {"closed": 0.0, "open": _seconds(found, "until"), "half_open": _seconds(found, "lease")}[state]
    good, failed = counts.get("o", 0), counts.get("f", 0)
    if state != "closed":
        good, failed = int(found.get("good", 0)), int(found.get("failed", 0))
    return BreakerStatus(capability, state, model.held(capability), good, failed, max(0.0, ends - now))


def _traffic(found: Mapping[str, str], now: float) -> Traffic:
    counts = _counts(found, int(now * 1000 / TRAFFIC_BUCKET_MS) - TRAFFIC_BUCKETS + 1)
    good = counts.get("o", 0)
    return Traffic(
        good=good,
        failed=counts.get("f", 0),
        mean_ms=round(counts.get("m", 0) / good) if good else None,
        last_ms=int(found["ms"]) if "ms" in found else None,
        last_at=_moment(found, "last"),
        answered_at=_moment(found, "last_ok"),
        failed_at=_moment(found, "error_at"),
        error_kind=found.get("error_kind", ""),
        error=found.get("error", ""),
    )


def _counts(found: Mapping[str, str], oldest: int) -> dict[str, int]:
    """Add up the counts by kind, from the bucket ``oldest`` on."""
    sums: dict[str, int] = {}
    for name, value in found.items():
        if (match := _COUNT.match(name)) and int(match[2]) >= oldest:
            sums[match[1]] = sums.get(match[1], 0) + int(value)
    return sums


def _seconds(found: Mapping[str, str], name: str) -> float:
    return float(found.get(name, 0)) / 1000


def _moment(found: Mapping[str, str], name: str) -> datetime | None:
    return datetime.fromtimestamp(_seconds(found, name), UTC) if name in found else None


class _Recent:
    """The last look at all active models."""

    def __init__(self) -> None:
        self._at = float("-inf")
        self._found: Mapping[UUID, ModelStatus] = {}

    def get(self) -> Mapping[UUID, ModelStatus]:
        if time.monotonic() - self._at >= REUSED_S:
            self._found = read([model for model in caches.cast().models.values() if model.is_active])
            self._at = time.monotonic()
        return self._found

    def clear(self) -> None:
        self._at = float("-inf")


_recent = _Recent()
