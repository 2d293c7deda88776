"""Trying a line on a persona: what would be asked, answered, refused, and what it would cost. Nothing is sent.

Up to two *tries* stand side by side: of two models, or of two prompts (a version, or a draft that nobody has saved).
Each is one real question; its calls are recorded as tests.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from django.db import connection

from personas import caches
from personas.budgets.prices import shown
from personas.hotpath import insert_ai_calls
from personas.models import AICall, PromptVersion, new_canary
from personas.prompts import estimate_messages
from personas.rebuilding import Rebuilt, rebuilt_prompt
from personas.resilience.hops import Hop
from personas.selection import Cast
from personas.service import AIService
from personas.types import (
    AIContext,
    CallScope,
    ChatMessage,
    GenerateOptions,
    GenerateReplyResult,
    IntentRecognitionResult,
    PersonaSnapshot,
)
from personas.voices import hop_text
from worktool_ai.lib.db import borrowed, tx

__all__ = ["EXAMPLE_VALUES", "Attempt", "Outcome", "Scene", "Try", "run_try", "tried_on"]

Number = TypeVar("Number", int, Decimal)

DEADLINE_S = 30.0
#: Values that every line brings along, as examples.
EXAMPLE_VALUES: Mapping[str, str] = {"userName": "张三", "botName": "小助手", "groupName": "客服群"}


@dataclass(frozen=True, slots=True)
class Scene:
    """What is said, and what was said before."""

    line: str
    turns: tuple[ChatMessage, ...] = ()
    is_group: bool = True
    values: Mapping[str, str] = field(default_factory=lambda: dict(EXAMPLE_VALUES))


@dataclass(frozen=True, slots=True)
class Try:
    """Who answers: a persona with a model (None: the local one) and a prompt: of a version, or a ``draft``'s text."""

    persona: PersonaSnapshot
    model_id: UUID | None = None
    version: PromptVersion | None = None
    draft: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call on the way to the answer, with the prompt that it was given. Unknown is None."""

    call: AICall
    prompt: Rebuilt | None
    #: what the prompt takes by our own estimate, to be held against the vendor's count
    estimate: int | None

    @property
    def passed_over(self) -> list[str]:
        """Models that were not asked before this call, each with the reason."""
        return [hop_text(Hop.from_json(told)) for told in self.call.request.get("passed_over", ())]


@dataclass(frozen=True, slots=True)
class Outcome:
    found: IntentRecognitionResult
    reply: GenerateReplyResult
    attempts: tuple[Attempt, ...]
    duration_ms: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: Decimal | None

    @property
    def shown_cost(self) -> str:
        return shown(self.cost)


def tried_on(attempt: Try) -> tuple[Cast, PersonaSnapshot]:
    """Return the cast in force with this persona as it is to be tried: one model, its own prompt, no fallbacks."""
    cast = caches.cast()
    voice = _voiced(attempt)
    model = cast.models.get(attempt.model_id) if attempt.model_id else None
    voice = replace(voice, model_id=model.id if model else None)
    # a model that is switched off is tried all the same: that is what one tries it for
    models = {**cast.models, **({model.id: replace(model, is_active=True)} if model else {})}
    return replace(cast, personas={**cast.personas, voice.id: voice}, models=models, fallbacks={}), voice


def _voiced(attempt: Try) -> PersonaSnapshot:
    persona, version = attempt.persona, attempt.version
    if attempt.draft:
        return replace(persona, system_prompt=attempt.draft, version_id=None, canary=new_canary())
    if version is None:
        return persona
    return replace(
        persona,
        system_prompt=version.system_prompt,
        temperature=float(version.temperature),
        max_tokens=version.max_tokens,
        version_id=version.id,
        canary=version.canary,
    )


def run_try(attempt: Try, scene: Scene) -> Outcome:
    """Ask for intent and answer as the engine does, and keep the calls as tests."""
    with borrowed():  # a model may take half a minute, and no connection waits with it
        cast, persona = tried_on(attempt)
    service = AIService(CallScope(node_id="playground", is_test=True), cast)
    started = time.monotonic()
    found = service.recognize_intent(
        scene.line,
        AIContext(persona_id=str(persona.id), history=scene.turns, is_group=scene.is_group, deadline_s=DEADLINE_S),
    )
    reply = service.generate_reply(
        [*scene.turns, ChatMessage("user", scene.line)],
        GenerateOptions(
            persona_id=str(persona.id),
            intent=found.intent,
            topic=found.topic,
            is_group=scene.is_group,
            values=scene.values,
            seed=scene.line,
            deadline_s=DEADLINE_S,
        ),
    )
    duration_ms = round((time.monotonic() - started) * 1000)
    return _outcome(found, reply, _stored(service.scope), duration_ms)


def _stored(scope: CallScope) -> list[AICall]:
    with tx(), connection.cursor() as cursor:
        insert_ai_calls(cursor, scope.calls)
    return list(
        AICall.objects.filter(pk__in=[call.id for call in scope.calls]).select_related("model", "prompt_version")
    )


def _outcome(
    found: IntentRecognitionResult, reply: GenerateReplyResult, calls: Sequence[AICall], duration_ms: int
) -> Outcome:
    calls = sorted(calls, key=lambda call: (call.created_at, call.pk))
    remote = [call for call in calls if call.provider != "local"]
    return Outcome(
        found=found,
        reply=reply,
        attempts=tuple(map(_attempt, calls)),
        duration_ms=duration_ms,
        prompt_tokens=_total([call.prompt_tokens for call in remote]),
        completion_tokens=_total([call.completion_tokens for call in remote]),
        cost=_total([call.cost for call in remote]),
    )


def _attempt(call: AICall) -> Attempt:
    prompt = rebuilt_prompt(call)
    return Attempt(call, prompt, estimate_messages(prompt.messages) if prompt else None)


def _total(parts: Sequence[Number | None]) -> Number | None:
    """Add up; unknown as soon as one part is, or when there is none."""
    known = [part for part in parts if part is not None]
    return sum(known[1:], start=known[0]) if known and len(known) == len(parts) else None
