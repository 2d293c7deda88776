"""The rules of breakers and limits, the same ones whether Redis or this process counts. Pure.

::

    closed     calls pass; failures are counted over a window
    open       nothing passes until its time is over
    half_open  one call passes, the probe, on a lease that ends by itself; its outcome closes or opens again

Each opening in a row lasts twice as long as the one before, up to ``open_max_s``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from django.conf import settings

from personas.providers import ProviderError

__all__ = [
    "BUCKETS",
    "LIMIT_WINDOW_S",
    "BreakerRules",
    "Outcome",
    "Report",
    "State",
    "Verdict",
    "Wanted",
    "outcome_of",
]

State = Literal["closed", "open", "half_open"]
#: ``neutral`` says nothing about the model: our request was wrong.
Outcome = Literal["ok", "fail", "neutral"]

#: The window of a breaker moves in steps of this part of it.
BUCKETS = 12
#: Limits of a model are per minute. Counted by seconds, so a call counts for up to a second longer.
LIMIT_WINDOW_S = 60

#: Error kinds in which the model did answer.
_ANSWERED = frozenset({"content_policy", "truncated"})
#: Error kinds that speak against the model. What is left, ``bad_request``, speaks against us.
_FAILURES = frozenset({"overloaded", "timeout", "unreachable", "auth", "quota", "rate_limit", "bad_answer"})


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When a breaker opens and for how long; times in seconds, the rate 0..1."""

    window_s: float = 60.0
    min_calls: int = 10
    failure_rate: float = 0.4
    open_s: float = 20.0
    open_max_s: float = 300.0

    @classmethod
    def from_settings(cls) -> BreakerRules:
        return cls(
            settings.MODEL_BREAKER_WINDOW_S,
            settings.MODEL_BREAKER_MIN_CALLS,
            settings.MODEL_BREAKER_FAILURE_RATE,
            settings.MODEL_BREAKER_OPEN_S,
            settings.MODEL_BREAKER_OPEN_MAX_S,
        )

    def open_for(self, openings: int) -> float:
        """Return how long the breaker stays open at its ``openings``-th opening in a row (from 1)."""
        return min(self.open_s * 2.0 ** min(openings - 1, 16), self.open_max_s)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that wants to be made. ``tokens`` is what it may use at most; a limit of 0 is none.

    ``lease_s``: after so long the call has ended, however; ``obeys_breaker`` is off where a person holds it closed.
    """

    model_id: UUID
    capability: str
    token: str
    lease_s: float
    request_limit: int = 0
    token_limit: int = 0
    tokens: int = 0
    obeys_breaker: bool = True

    @property
    def is_limited(self) -> bool:
        return bool(self.request_limit or self.token_limit)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``refused`` is empty when the call may be made. ``wait_s``: how long the refusal holds at least.

    ``second`` is the one under which its tokens are counted.
    """

    state: State
    refused: Literal["", "breaker_open", "limit", "paused"] = ""
    wait_s: float = 0.0
    is_probe: bool = False
    second: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a call that was let through, or of several plain good ones (``calls``, their durations added up).

    ``token`` is empty where nothing hangs on which call it was. ``tokens_over`` is what it used beyond what it had
    reserved (mostly negative), counted under ``second``; ``pause_s`` what the vendor asked for. Without ``capability``
    (a health check) only the model's health is told.
    """

    model_id: UUID
    capability: str
    token: str
    outcome: Outcome
    duration_ms: int = 0
    error_kind: str = ""
    error: str = ""
    pause_s: float = 0.0
    tokens_over: int = 0
    second: int = 0
    calls: int = 1

    @property
    def is_plain(self) -> bool:
        """A good call like any other."""
        return self.outcome == "ok" and not self.token


def outcome_of(error: ProviderError | None, *, answered: bool) -> Outcome:
    """Judge a call for the model's breaker; ``answered``: a whole answer came, whatever we think of it."""
    if error is None or answered or error.kind in _ANSWERED:
        return "ok"
    return "fail" if error.kind in _FAILURES else "neutral"
