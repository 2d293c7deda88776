"""One chain of attempts at models: one deadline, one retry loop, every attempt recorded.

The persona's own model is asked at most :data:`MAX_ATTEMPTS` times; whoever calls ends the chain in the local
model, which never fails. SDKs do not retry on their own.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import pydantic

from personas.providers import RETRYABLE, Answer, ChatMessage, ChatRequest, Provider, ProviderError, registry
from personas.selection import ModelSnapshot
from personas.types import AICallRecord, CallScope, TaskName
from worktool_ai.lib import crypto, logs
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7

__all__ = ["MAX_ATTEMPTS", "Chain", "Question", "RejectedAnswer", "build_provider"]

logger = logs.get_logger(__name__)

MAX_ATTEMPTS = 2
#: Seconds below which another attempt is not worth starting.
LEAST_S = 0.5
#: Seconds kept of the deadline for the local model.
LOCAL_S = 0.2
FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 3.0

T = TypeVar("T")


class RejectedAnswer(ProviderError):
    """The model answered, but not with something that can be used.

    ``repaired`` is the request that may mend it; without one the model is not asked again.
    """

    def __init__(self, problem: str, repaired: ChatRequest | None = None) -> None:
        super().__init__("bad_answer", problem)
        self.repaired = repaired


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked in one chain. ``noted`` is kept with each call besides the messages."""

    task: TaskName
    persona_id: UUID | None
    request: ChatRequest
    noted: Mapping[str, Any] = dataclasses.field(default_factory=dict)


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
    """Attempts of one call, bounded by ``deadline_s`` from now."""

    def __init__(self, scope: CallScope, deadline_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self.scope = scope
        self.attempts = 0
        self._ends = time.monotonic() + deadline_s
        self._sleep = sleep

    @property
    def left_s(self) -> float:
        return self._ends - time.monotonic() - LOCAL_S

    def ask(
        self,
        model: ModelSnapshot,
        question: Question,
        accept: Callable[[Answer], T],
        attempts: int = MAX_ATTEMPTS,
    ) -> T | None:
        """Return what ``accept`` makes of the model's answer, None when the model is of no use this time.

        ``accept`` raises :class:`RejectedAnswer` for an answer that must not be used.
        """
        request = question.request
        for left in reversed(range(attempts)):
            if self.left_s < LEAST_S:
                return None
            try:
                return self._attempt(model, dataclasses.replace(question, request=request), accept)
            except ProviderError as error:
                delay = self._delay_after(error)
                if delay is None or not left:
                    return None
                if isinstance(error, RejectedAnswer) and error.repaired:
                    request = error.repaired
                self._sleep(delay)
        return None

    def _attempt(self, model: ModelSnapshot, question: Question, accept: Callable[[Answer], T]) -> T:
        request = dataclasses.replace(question.request, timeout=min(question.request.timeout, self.left_s))
        started, answer = time.monotonic(), None
        try:
            answer = _chat(model, request)
            accepted = accept(answer)
        except ProviderError as error:
            self._record(model, question, started, answer, error)
            raise
        self._record(model, question, started, answer, None)
        return accepted

    def _delay_after(self, error: ProviderError) -> float | None:
        """Seconds to wait before another attempt; None when there is no point in one."""
        if isinstance(error, RejectedAnswer):
            return 0.0 if error.repaired else None
        if error.kind not in RETRYABLE:
            return None
        backoff = FIRST_DELAY_S * 2 ** (self.attempts - 1)
        delay = max(random.uniform(backoff / 2, backoff), error.retry_after or 0.0)
        return delay if delay <= LONGEST_DELAY_S and self.left_s - delay > LEAST_S else None

    def _record(
        self,
        model: ModelSnapshot,
        question: Question,
        started: float,
        answer: Answer | None,
        error: ProviderError | None,
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
            request={**question.noted, "messages": [_as_dict(m) for m in question.request.messages]},
            response={"text": answer.text} if answer else {},
            prompt_tokens=answer.prompt_tokens if answer else None,
            completion_tokens=answer.completion_tokens if answer else None,
        )

    def note(self, *, started: float, **fields: Any) -> None:
        """Record one finished attempt; ``started`` by the monotonic clock."""
        self.attempts += 1
        scope = self.scope
        record = AICallRecord(
            id=uuid7(),
            attempt=self.attempts,
            duration_ms=round((time.monotonic() - started) * 1000),
            created_at=now(),
            robot_id=scope.robot_id,
            conversation_id=scope.conversation_id,
            message_id=scope.message_id,
            run_id=scope.run_id,
            node_id=scope.node_id,
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


def _as_dict(message: ChatMessage) -> dict[str, Any]:
    """Pictures are counted, not kept."""
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    return {**said, "images": len(message.images)} if message.images else said
