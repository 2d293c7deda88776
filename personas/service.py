"""The AI layer's one door: intents, replies, reports, health.

Plain synchronous calls; a thousand of them wait in a thousand greenlets. A persona's models are asked in order where
they are active and capable, the local model answers otherwise and at the end of every chain: a caller always gets a
result. Nothing is written here: the attempts stand in ``scope.calls``, and the caller stores them in the
transaction of its own rows (:func:`personas.hotpath.insert_ai_calls`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from personas import caches, local_model, prompts
from personas.chain import Chain, Question, RejectedAnswer
from personas.checks import Evidence, Problem, reply_problem, tidied
from personas.prompts import ReplyParts, Voice
from personas.providers import Answer, ChatMessage, ChatRequest, Image
from personas.selection import Cast, LineUp, ModelSnapshot
from personas.types import (
    UNCLEAR,
    AIContext,
    CallScope,
    GenerateOptions,
    GenerateReplyResult,
    GenerateReportResult,
    HealthResult,
    IntentRecognitionResult,
    PersonaSnapshot,
    PictureOptions,
    PictureResult,
    ReportOptions,
)
from worktool_ai.lib import logs

__all__ = ["AIService"]

logger = logs.get_logger(__name__)

INTENT_MAX_TOKENS = 300
#: An intent is judged, not composed.
INTENT_TEMPERATURE = 0.0
HEALTH_DEADLINE_S = 15.0
HEALTH_MAX_TOKENS = 200
PROBE_MAX_TOKENS = 16


class AIService:
    """All calls of one piece of work; ``scope`` says whose they are and collects them.

    ``cast`` stands in for the personas and models in force, where somebody tries out others.
    """

    def __init__(self, scope: CallScope | None = None, cast: Cast | None = None) -> None:
        self.scope = scope or CallScope()
        self._cast = cast

    def recognize_intent(self, message: str, context: AIContext) -> IntentRecognitionResult:
        """Tell what a line wants; below ``context.threshold`` the honest answer is ``unclear``."""
        cast = self._cast or caches.cast()
        persona = cast.persona(context.persona_id, context.persona_type)
        line_up = cast.line_up(persona, "intent")
        chain = Chain(self.scope, context.deadline_s, line_up.passed)
        found = self._ask_for_intent(chain, line_up, persona, message, context, cast) if line_up.models else None
        if found is None:
            found = local_model.recognise(chain, persona, message)
        if found.confidence < context.threshold and found.intent != UNCLEAR:
            why = f"{found.why}；低于阈值 {context.threshold:g}"
            found = replace(found, intent=UNCLEAR, topic=None, why=why)
        known = cast.intents.get(found.intent)
        return replace(found, needs_human=known is not None and known.needs_human)

    def _ask_for_intent(
        self,
        chain: Chain,
        line_up: LineUp,
        persona: PersonaSnapshot,
        message: str,
        context: AIContext,
        cast: Cast,
    ) -> IntentRecognitionResult | None:
        parts = prompts.IntentParts(message, context.history)
        schema = prompts.intent_schema(cast)

        def question(parts: prompts.IntentParts) -> Question:
            request = ChatRequest(
                messages=prompts.intent_messages(parts, cast),
                temperature=INTENT_TEMPERATURE,
                max_tokens=INTENT_MAX_TOKENS,
                timeout=context.deadline_s,
                as_json=True,
                schema=schema,
            )
            return Question("intent", persona.id, request, line_up.capability, {"parts": parts.kept()})

        def accept(model: ModelSnapshot, answer: Answer) -> IntentRecognitionResult:
            try:
                parsed = prompts.parse_intent(answer.text, cast)
            except prompts.BadIntentAnswer as problem:
                raise RejectedAnswer(str(problem), question(parts.mended(answer.text, problem))) from None
            return IntentRecognitionResult(
                intent=parsed.intent,
                topic=parsed.topic,
                confidence=parsed.confidence,
                why=parsed.why,
                provider=model.provider,
                model=answer.model,
            )

        return chain.ask(line_up.models, question(parts), accept)

    def generate_reply(self, messages: Sequence[ChatMessage], options: GenerateOptions) -> GenerateReplyResult:
        """Answer the last of ``messages`` (oldest first; ``user`` is the customer). The text is checked."""
        if not messages:
            raise ValueError("a reply needs at least the line that it answers")
        cast = self._cast or caches.cast()
        persona = cast.persona(options.persona_id, options.persona_type)
        options = _calm(options, cast)
        line_up = cast.line_up(persona, "reply")
        chain = Chain(self.scope, options.deadline_s, line_up.passed)
        reply = self._ask_for_reply(chain, line_up, persona, messages, options) if line_up.models else None
        return reply or local_model.reply(chain, persona, messages[-1].content, options)

    def _ask_for_reply(
        self,
        chain: Chain,
        line_up: LineUp,
        persona: PersonaSnapshot,
        messages: Sequence[ChatMessage],
        options: GenerateOptions,
    ) -> GenerateReplyResult | None:
        voice = Voice(persona.system_prompt, persona.canary)
        parts = _reply_parts(persona, messages, options)

        def question(parts: ReplyParts) -> Question:
            prompt = prompts.reply_messages(voice, parts)
            request = ChatRequest(prompt, persona.temperature, persona.max_tokens, timeout=options.deadline_s)
            noted = {"intent": options.intent, "topic": options.topic, "parts": parts.kept()}
            if persona.version_id is None:
                noted["voice"] = asdict(voice)
            return Question("reply", persona.id, request, line_up.capability, noted, persona.version_id)

        def accept(model: ModelSnapshot, answer: Answer) -> GenerateReplyResult:
            text = tidied(answer.text)
            if problem := _problem(text, Evidence(voice, parts)):
                mended = question(parts.mended(answer.text, problem.sentence))
                raise RejectedAnswer(problem.sentence, mended, code=problem.code)
            return GenerateReplyResult(
                text=text,
                kind=options.kind,
                source="model",
                provider=model.provider,
                model=answer.model,
                persona_id=str(persona.id),
                persona_type=persona.role_type,
                attempts=chain.attempts + 1,
                prompt_tokens=answer.prompt_tokens,
                completion_tokens=answer.completion_tokens,
            )

        return chain.ask(line_up.models, question(parts), accept)

    def generate_report(self, data: Any, options: ReportOptions) -> GenerateReportResult:
        """Put figures into words; without a model that can, they are listed as they are."""
        cast = self._cast or caches.cast()
        persona = cast.persona(options.persona_id)
        line_up = cast.line_up(persona, "report")
        chain = Chain(self.scope, options.deadline_s, line_up.passed)
        if line_up.models:
            request = ChatRequest(
                messages=prompts.report_messages(options.title, options.instructions, data),
                temperature=persona.temperature,
                max_tokens=options.max_tokens,
                timeout=options.deadline_s,
            )
            question = Question("report", persona.id, request, line_up.capability, {"title": options.title})

            def accept(model: ModelSnapshot, answer: Answer) -> GenerateReportResult:
                return GenerateReportResult(_text(answer), model.provider, answer.model, chain.attempts + 1)

            if report := chain.ask(line_up.models, question, accept):
                return report
        return local_model.report(chain, persona, data, options)

    def sees(self, options: PictureOptions) -> bool:
        """Tell whether any model could look at a picture in this persona's voice."""
        cast = caches.cast()
        return bool(cast.line_up(cast.persona(options.persona_id, options.persona_type), "picture").models)

    def describe_picture(self, image: Image, options: PictureOptions) -> PictureResult | None:
        """Tell what is to be seen on a picture; None when no model could look: ask the customer for text then."""
        cast = self._cast or caches.cast()
        persona = cast.persona(options.persona_id, options.persona_type)
        line_up = cast.line_up(persona, "picture")
        request = ChatRequest(
            messages=prompts.picture_messages(image, options.question),
            temperature=INTENT_TEMPERATURE,
            max_tokens=options.max_tokens,
            timeout=options.deadline_s,
        )

        def accept(model: ModelSnapshot, answer: Answer) -> PictureResult:
            return PictureResult(_text(answer), model.provider, answer.model)

        chain = Chain(self.scope, options.deadline_s, line_up.passed)
        return chain.ask(line_up.models, Question("picture", persona.id, request, line_up.capability), accept)

    def health_check(self, model: ModelSnapshot) -> HealthResult:
        """Ask one real question once, whether the model is active or not; never raises."""
        return self._test(model, "你好，请用一句话回答：你是谁？", HEALTH_MAX_TOKENS, HEALTH_DEADLINE_S)

    def probe(self, model: ModelSnapshot) -> HealthResult:
        """Ask for next to nothing, to see whether the model answers at all; never raises."""
        return self._test(model, "请只回答一个字：好", PROBE_MAX_TOKENS, HEALTH_DEADLINE_S)

    def _test(self, model: ModelSnapshot, text: str, max_tokens: int, deadline_s: float) -> HealthResult:
        request = ChatRequest(
            messages=(ChatMessage("user", text),),
            temperature=INTENT_TEMPERATURE,
            max_tokens=max_tokens,
            timeout=deadline_s,
        )
        started = time.monotonic()
        chain = Chain(self.scope, deadline_s)
        said = chain.ask_once(model, Question("health", None, request), lambda _model, answer: _text(answer))
        call = self.scope.calls[-1]
        return HealthResult(
            ok=said is not None,
            answer=said or "",
            duration_ms=round((time.monotonic() - started) * 1000),
            error_kind=call.error_kind,
            error=call.error,
        )


def _reply_parts(persona: PersonaSnapshot, messages: Sequence[ChatMessage], options: GenerateOptions) -> ReplyParts:
    *earlier, line = messages
    turns, summary = prompts.bounded_turns(earlier, options.shown_turns, persona.history_tokens)
    return ReplyParts(
        line=line.content[: prompts.LINE_CHARS],
        kind=options.kind,
        turns=turns,
        summary=summary,
        facts={**options.values, **options.facts},
        notes=options.notes,
        hints=tuple(local_model.hints(persona, line.content, options)),
        instructions=options.instructions,
    )


def _problem(text: str, evidence: Evidence) -> Problem | None:
    """Judge an answer; what cannot be judged is not sent."""
    try:
        return reply_problem(text, evidence)
    except Exception:
        logger.exception("reply_check_failed")
        return Problem("unchecked", "回答无法检查")


def _calm(options: GenerateOptions, cast: Cast) -> GenerateOptions:
    """A line that a person must be told of is never argued with: the customer hears that a colleague follows."""
    known = cast.intents.get(options.intent)
    return replace(options, kind="hand_over") if known and known.needs_human else options


def _text(answer: Answer) -> str:
    text = answer.text.strip()
    if not text:
        raise RejectedAnswer("the answer is empty")
    return text
