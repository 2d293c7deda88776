"""May this model be asked now? Asked before each call to a vendor, told after it.

Common case: one round trip to Redis a call, the report after it, which also tells what holds for the next call. Good
calls that end while another is being reported share one. Before a call Redis is asked only when what it said last is
older than :data:`FRESH_S`, was not *closed*, or the model has limits. While Redis is away this process goes on alone
(:mod:`personas.resilience.process`), by the same rules.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import UUID

from personas.providers import Answer, ProviderError
from personas.resilience.hops import Hop, PassedOver
from personas.resilience.process import ProcessGates
from personas.resilience.rules import BreakerRules, Report, Verdict, Wanted, outcome_of
from personas.resilience.shared import StoreError, redis_gates
from personas.resilience.together import Together
from worktool_ai.lib.ids import uuid7
from worktool_ai.lib.logs import get_logger

__all__ = ["FRESH_S", "Admission", "GatedModel", "Gates", "gates"]

logger = get_logger(__name__)

#: Seconds for which what Redis said last is believed.
FRESH_S = 1.0
#: A Redis that did not answer is left alone for so long.
AWAY_S = 1.0

T = TypeVar("T")


class GatedModel(Protocol):
    """What is to be known of a model here. Limits are per minute, None for none."""

    @property
    def id(self) -> UUID: ...
    @property
    def name(self) -> str: ...
    @property
    def request_limit(self) -> int | None: ...
    @property
    def token_limit(self) -> int | None: ...
    def held(self, capability: str) -> str:
        """Return ``open`` or ``closed`` where a person holds the breaker so, else nothing."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    """What held for one breaker when it was last heard of; times of the monotonic clock."""

    verdict: Verdict
    at: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.at < FRESH_S

    @property
    def wait_s(self) -> float:
        """Seconds for which the refusal still holds, 0 for none."""
        return max(0.0, self.at + self.verdict.wait_s - time.monotonic()) if self.verdict.refused else 0.0


@dataclass(slots=True)
class Admission:
    """Leave to make one call; end it by :meth:`report`, or by :meth:`withdraw` when the call is not made after all.

    A caller that is killed does neither: a probe's lease then ends by itself.
    """

    gates: Gates
    wanted: Wanted
    verdict: Verdict
    started: float = field(default_factory=time.monotonic)

    def report(self, answer: Answer | None, error: ProviderError | None) -> None:
        """Tell what came of the call; never raises."""
        outcome = outcome_of(error, answered=answer is not None)
        if outcome == "neutral" and not self.wanted.capability:
            outcome = "fail"  # a test shows whether the model can be used as it is set up
        self.gates.tell(
            Report(
                model_id=self.wanted.model_id,
                capability=self.wanted.capability if self.wanted.obeys_breaker else "",
                token=self.wanted.token if self.verdict.is_probe or self.wanted.is_limited else "",
                outcome=outcome,
                duration_ms=round((time.monotonic() - self.started) * 1000),
                error_kind=error.kind if error else "",
                error=error.message if error else "",
                pause_s=_pause_s(error),
                tokens_over=self._tokens_over(answer),
                second=self.verdict.second,
            )
        )

    def withdraw(self) -> None:
        """Give the leave back: the call is not made."""
        if self.verdict.is_probe or self.wanted.is_limited:
            capability, token = self.wanted.capability, self.wanted.token
            over = -self._reserved()
            self.gates.tell(
                Report(self.wanted.model_id, capability, token, "neutral", tokens_over=over, second=self.verdict.second)
            )

    def _reserved(self) -> int:
        return min(self.wanted.tokens, self.wanted.token_limit)

    def _tokens_over(self, answer: Answer | None) -> int:
        if not self.wanted.token_limit or answer is None or answer.prompt_tokens is None:
            return 0
        return answer.prompt_tokens + (answer.completion_tokens or 0) - self._reserved()


class Gates:
    """One per process; thread-safe."""

    def __init__(self) -> None:
        self._alone = ProcessGates()
        self._together = Together(self._count)
        self._known: dict[tuple[UUID, str], _Known] = {}
        self._asking = threading.Lock()
        self._away_until = 0.0
        self._looking = threading.Lock()

    def admit(self, model: GatedModel, capability: str, *, lease_s: float, tokens: int) -> Admission:
        """Return leave to ask this model once; raises :class:`PassedOver`.

        ``lease_s``: after so long the call has ended; ``tokens``: what it may use at most.
        """
        held = model.held(capability)
        if held == "open":
            raise PassedOver(Hop(model.name, "held_open"))
        wanted = Wanted(
            model_id=model.id,
            capability=capability,
            token=uuid7().hex,
            lease_s=lease_s,
            request_limit=model.request_limit or 0,
            token_limit=model.token_limit or 0,
            tokens=tokens,
            obeys_breaker=held != "closed",
        )
        verdict = self._decide(wanted)
        if verdict.refused:
            raise PassedOver(Hop(model.name, verdict.refused, wait_s=verdict.wait_s))
        return Admission(self, wanted, verdict)

    def visit(self, model: GatedModel) -> Admission:
        """Return leave to test this model, whatever holds; only its health learns of it."""
        return Admission(self, Wanted(model.id, "", uuid7().hex, lease_s=0.0), Verdict("closed"))

    def tell(self, report: Report) -> None:
        """Count what came of a call; never raises."""
        if report.is_plain:
            self._together.add(report)
        else:
            self._count(report)

    def _count(self, report: Report) -> None:
        verdict = self._ask(
            lambda rules: redis_gates().report(report, rules), lambda rules: self._alone.report(report, rules)
        )
        if report.capability:
            self._learn(report.model_id, report.capability, verdict)

    def looks_open(self, model: GatedModel, capability: str) -> bool:
        """Tell, of what is known here without asking anybody, whether the model would be passed over."""
        known = self._known.get((model.id, capability))
        held = model.held(capability)
        return held == "open" or (held != "closed" and known is not None and known.wait_s > 0)

    def forget(self) -> None:
        """Know nothing: after a reset, and in tests."""
        self._known.clear()
        self._alone.clear()
        self._away_until = 0.0

    def _decide(self, wanted: Wanted) -> Verdict:
        if not wanted.is_limited:
            if not wanted.obeys_breaker:
                return Verdict("closed")
            known = self._known.get((wanted.model_id, wanted.capability))
            if known and known.is_fresh and (known.wait_s or known.verdict.state == "closed"):
                return Verdict(known.verdict.state, known.verdict.refused if known.wait_s else "", known.wait_s)
            if known and known.verdict.state == "closed" and not known.verdict.refused:
                return self._refreshed(wanted, known)
        return self._entered(wanted)

    def _refreshed(self, wanted: Wanted, known: _Known) -> Verdict:
        """One caller asks how it stands; the others go by what was true a moment ago."""
        if not self._asking.acquire(blocking=False):
            return known.verdict
        try:
            return self._entered(wanted)
        finally:
            self._asking.release()

    def _entered(self, wanted: Wanted) -> Verdict:
        verdict = self._ask(
            lambda rules: redis_gates().enter(wanted, rules), lambda rules: self._alone.enter(wanted, rules)
        )
        if wanted.obeys_breaker and verdict.refused != "limit":
            self._learn(wanted.model_id, wanted.capability, verdict)
        return verdict

    def _learn(self, model_id: UUID, capability: str, verdict: Verdict) -> None:
        before = self._known.get((model_id, capability))
        self._known[model_id, capability] = _Known(verdict, time.monotonic())
        if before and before.verdict.state != verdict.state:
            logger.warning("model_breaker", model=str(model_id), capability=capability, state=verdict.state)

    def _ask(self, shared: Callable[[BreakerRules], T], alone: Callable[[BreakerRules], T]) -> T:
        """Ask Redis, or this process while Redis is away. One caller at a time finds out whether it is back."""
        rules = BreakerRules.from_settings()
        if not self._away_until:
            try:
                return shared(rules)
            except StoreError as error:
                self._leave_alone(error)
                return alone(rules)
        if time.monotonic() < self._away_until or not self._looking.acquire(blocking=False):
            return alone(rules)
        try:
            found = shared(rules)
            self._away_until = 0.0
            logger.info("model_gates_shared")
            return found
        except StoreError as error:
            self._leave_alone(error)
            return alone(rules)
        finally:
            self._looking.release()

    def _leave_alone(self, error: Exception) -> None:
        if not self._away_until:
            logger.warning("model_gates_alone", error=type(error).__name__)
            self._alone.clear()
            for (model_id, capability), known in list(self._known.items()):
                if known.verdict.refused == "breaker_open" and known.wait_s:
                    self._alone.keep_open(model_id, capability, known.wait_s)
        self._away_until = time.monotonic() + AWAY_S


def _pause_s(error: ProviderError | None) -> float:
    """A vendor that names a time is left alone for it."""
    return error.retry_after or 0.0 if error and error.kind == "rate_limit" else 0.0


#: This process's own.
gates = Gates()
