"""One chain of attempts at models: one deadline, one retry loop, every attempt and every model passed over recorded.

The models of a line-up are asked in order, :data:`MAX_ATTEMPTS` times in all. While another one follows, a model gets
half of the time that is left and is asked once (again only to mend its answer); the last one gets all of it and a
second chance. Whoever calls ends the chain in the local model, which never fails. SDKs do not retry on their own.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import pydantic

from personas.budgets.keeper import Hold, OverBudget, Settled, keeper
from personas.prompts.parts import digest
from personas.providers import RETRYABLE, Answer, ChatMessage, ChatRequest, Provider, ProviderError, registry
from personas.resilience.gates import Admission, gates
from personas.resilience.hops import Hop, HopReason, PassedOver
from personas.selection import ModelSnapshot
from personas.types import AICallRecord, CallScope, TaskName
from worktool_ai.lib import crypto, logs
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7

__all__ = ["MAX_ATTEMPTS", "Chain", "Question", "RejectedAnswer", "build_provider"]

logger = logs.get_logger(__name__)

#: Calls to vendors of one chain, and of them to one model.
MAX_ATTEMPTS = 3
ATTEMPTS_PER_MODEL = 2
#: Seconds below which another attempt is not worth starting.
LEAST_S = 0.5
#: Seconds kept of the deadline for the local model, and for a Redis that does not answer.
LOCAL_S = 0.5
#: What a model gets of the time that is left while another one follows.
SHARE = 0.5
#: A limited model is waited for so long, where no other follows.
LIMIT_WAIT_S = 1.0
#: Seconds after a call's own end at which a killed caller's probe is given up.
LEASE_SLACK_S = 2.0
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 3.0

T = TypeVar("T")


class RejectedAnswer(ProviderError):
    """The model answered, but not with something that can be used.

    ``again`` is the question that may mend it; without one the model is not asked again. ``code`` is the problem's
    short name.
    """

    def __init__(self, problem: str, again: Question | None = None, *, code: str = "") -> None:
        super().__init__("bad_answer", problem)
        self.again = again
        self.code = code


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked in one chain, and which capability that takes. ``noted`` is kept with each call; its ``parts``
    stand for the messages, which are kept themselves where there are none.
    """

    task: TaskName
    persona_id: UUID | None
    request: ChatRequest
    capability: str = ""
    noted: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prompt_version_id: UUID | None = None

    def kept(self) -> dict[str, Any]:
        """Return what a call stores of its request."""
        if "parts" in self.noted:
            return {**self.noted, "digest": digest(self.request.messages)}
        return {**self.noted, "messages": [_as_dict(message) for message in self.request.messages]}


def build_provider(model: ModelSnapshot) -> Provider:
    """Build a model's provider with its opened key; :class:`ProviderError` when its settings are unusable."""
    plugin = registry.get(model.provider)
    try:
        config = crypto.load_config(plugin.Config, model.config)
        key = model.api_key.reveal()
    except pydantic.ValidationError as error:
        raise ProviderError("bad_request", f"the model's configuration is invalid: {error}") from None
    except crypto.UndecryptableError as error:
        raise ProviderError("auth", str(error)) from None
    return plugin(config, api_key=key, endpoint=model.endpoint, model_id=model.model_id)


class Chain:
    """Attempts of one call, bounded by ``deadline_s`` from now. ``passed``: models that could not be asked at all."""

    def __init__(
        self,
        scope: CallScope,
        deadline_s: float,
        passed: Iterable[Hop] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.scope = scope
        self.attempts = 0
        self._asked = 0
        self._passed = list(passed)
        self._ends = time.monotonic() + deadline_s
        self._sleep = sleep

    @property
    def left_s(self) -> float:
        return self._ends - time.monotonic() - LOCAL_S

    def ask(
        self, models: Sequence[ModelSnapshot], question: Question, accept: Callable[[ModelSnapshot, Answer], T]
    ) -> T | None:
        """Return what ``accept`` makes of the first answer that it takes, None when no model is of use this time.

        ``accept`` raises :class:`RejectedAnswer` for an answer that must not be used.
        """
        for number, model in enumerate(models, start=1):
            follows = any(not gates.looks_open(other, question.capability) for other in models[number:])
            accepted = self._ask_one(model, question, accept, follows)
            if accepted is not None:
                return accepted
        return None

    def ask_once(
        self, model: ModelSnapshot, question: Question, accept: Callable[[ModelSnapshot, Answer], T]
    ) -> T | None:
        """Ask whatever breaker and limits say, for a test; None when that failed."""
        try:
            return self._attempt(model, question, accept, gates.visit(model))
        except ProviderError:
            return None

    def _ask_one(
        self,
        model: ModelSnapshot,
        question: Question,
        accept: Callable[[ModelSnapshot, Answer], T],
        follows: bool,
    ) -> T | None:
        for left in reversed(range(ATTEMPTS_PER_MODEL)):
            try:
                timeout = self._time_for(model, follows)
                timed = dataclasses.replace(question.request, timeout=min(question.request.timeout, timeout))
                question = dataclasses.replace(question, request=timed)
                admission = self._admitted(model, question, follows)
                return self._attempt(model, question, accept, admission)
            except PassedOver as passed:
                self._passed.append(passed.hop)
                return None
            except ProviderError as error:
                delay = self._delay_after(error, follows)
                if delay is None or not left:
                    return None
                if isinstance(error, RejectedAnswer) and error.again:
                    question = error.again
                self._sleep(delay)
        return None

    def _time_for(self, model: ModelSnapshot, follows: bool) -> float:
        """Return the seconds for one attempt; raises :class:`PassedOver` where there is no point in one."""
        reason: HopReason | None = "no_time" if self.left_s < LEAST_S else None
        if self._asked >= MAX_ATTEMPTS:
            reason = "attempts_used"
        if reason:
            raise PassedOver(Hop(model.name, reason))
        return max(LEAST_S, self.left_s * SHARE) if follows else self.left_s

    def _admitted(self, model: ModelSnapshot, question: Question, follows: bool) -> Admission:
        try:
            return self._admit(model, question)
        except PassedOver as passed:
            wait_s = passed.hop.wait_s
            is_short = wait_s <= LIMIT_WAIT_S and wait_s + LEAST_S < self.left_s
            if follows or passed.hop.reason not in ("limit", "paused") or not is_short:
                raise
        self._sleep(wait_s)
        return self._admit(model, question)

    def _admit(self, model: ModelSnapshot, question: Question) -> Admission:
        request = question.request
        lease_s = request.timeout + LEASE_SLACK_S
        return gates.admit(model, question.capability, lease_s=lease_s, tokens=_most_tokens(request))

    def _attempt(
        self,
        model: ModelSnapshot,
        question: Question,
        accept: Callable[[ModelSnapshot, Answer], T],
        admission: Admission,
    ) -> T:
        hold = self._reserve(model, question, admission)
        started, answer = time.monotonic(), None
        self._asked += 1
        try:
            answer = _chat(model, question.request)
            accepted = accept(model, answer)
        except ProviderError as error:
            self._record(model, question, started, answer, error, keeper().settle(hold, answer, error))
            admission.report(answer, error)
            raise
        self._record(model, question, started, answer, None, keeper().settle(hold, answer, None))
        admission.report(answer, None)
        return accepted

    def _reserve(self, model: ModelSnapshot, question: Question, admission: Admission) -> Hold:
        """Set the call's cost aside. A test of a model's health is counted, but a budget does not stop it: it would
        make a model look dead that is not.
        """
        enforced = question.task != "health"
        try:
            return keeper().reserve(model, question.request, self.scope, question.persona_id, enforced=enforced)
        except OverBudget as over:
            admission.withdraw()
            raise PassedOver(Hop(model.name, "budget", over.budget.counter)) from None

    def _delay_after(self, error: ProviderError, follows: bool) -> float | None:
        """Seconds to wait before this model is asked again; None when there is no point in that."""
        if self._asked >= MAX_ATTEMPTS:
            return None
        if isinstance(error, RejectedAnswer):
            return 0.0 if error.again and self.left_s > LEAST_S else None
        if follows or error.kind not in RETRYABLE:
            return None
        backoff = FIRST_DELAY_S * 2 ** (self._asked - 1)
        delay = max(random.uniform(backoff / 2, backoff), error.retry_after or 0.0)
        return delay if delay <= LONGEST_DELAY_S and self.left_s - delay > LEAST_S else None

    def _record(
        self,
        model: ModelSnapshot,
        question: Question,
        started: float,
        answer: Answer | None,
        error: ProviderError | None,
        settled: Settled,
    ) -> None:
        self.note(
            task=question.task,
            provider=model.provider,
            model_id=model.id,
            model_name=answer.model if answer else model.model_id,
            persona_id=question.persona_id,
            started=started,
            succeeded=error is None,
            error_kind=error.kind if error else "",
            error=error.message[:2000] if error else "",
            prompt_version_id=question.prompt_version_id,
            request=question.kept(),
            response=_response(answer, error),
            prompt_tokens=answer.prompt_tokens if answer else None,
            completion_tokens=answer.completion_tokens if answer else None,
            cost=settled.cost,
            estimate=settled.estimate,
        )

    def note(self, *, started: float, **fields: Any) -> None:
        """Record one finished attempt, with the models passed over before it; ``started`` by the monotonic clock."""
        self.attempts += 1
        if self._passed:
            fields["request"] = {**fields["request"], "passed_over": [hop.to_json() for hop in self._passed]}
            self._passed = []
        scope = self.scope
        record = AICallRecord(
            id=uuid7(),
            attempt=self.attempts,
            duration_ms=round((time.monotonic() - started) * 1000),
            created_at=now(),
            robot_id=scope.robot_id,
            room_id=scope.room_id,
            conversation_id=scope.conversation_id,
            message_id=scope.message_id,
            run_id=scope.run_id,
            node_id=scope.node_id,
            is_test=scope.is_test,
            **fields,
        )
        scope.calls.append(record)


def _chat(model: ModelSnapshot, request: ChatRequest) -> Answer:
    """Ask the model; whatever a plugin did not translate becomes ``bad_answer``: the chain must go on."""
    try:
        return build_provider(model).chat(request)
    except ProviderError:
        raise
    except Exception as error:
        logger.exception("ai_provider_failed", provider=model.provider, model=model.name)
        raise ProviderError("bad_answer", f"{type(error).__name__}: {error}") from error


def _most_tokens(request: ChatRequest) -> int:
    """Return what a call may use: a character is hardly ever more than a token."""
    return sum(len(message.content) for message in request.messages) + request.max_tokens


def _response(answer: Answer | None, error: ProviderError | None) -> dict[str, Any]:
    if answer is None:
        return {}
    problem = error.code if isinstance(error, RejectedAnswer) else ""
    return {"text": answer.text, "problem": problem} if problem else {"text": answer.text}


def _as_dict(message: ChatMessage) -> dict[str, Any]:
    """Pictures are counted, not kept."""
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    return {**said, "images": len(message.images)} if message.images else said
