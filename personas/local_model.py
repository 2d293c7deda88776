"""The local model as the AI layer uses it: no key, no network, and it never fails.

Rules and templates come from the caches; recognising and choosing are pure (``personas.local``). Its calls are
recorded like a vendor's; they have no tokens and cost nothing.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from personas import caches
from personas.budgets.prices import FREE
from personas.chain import Chain
from personas.checks import answer_problem
from personas.local.reply import FALLBACK_CATEGORY, Chosen, rank_templates
from personas.types import (
    UNCLEAR,
    GenerateOptions,
    GenerateReplyResult,
    GenerateReportResult,
    IntentRecognitionResult,
    PersonaSnapshot,
    ReplyKind,
    ReportOptions,
    TaskName,
)
from templates_lib.caches import TemplateSnapshot, templates_of
from templates_lib.render import render
from worktool_ai.lib import logs

__all__ = ["LAST_WORDS", "PROVIDER", "hints", "recognise", "reply", "report"]

logger = logs.get_logger(__name__)

PROVIDER = "local"

#: What is said when not even a template is left: true, and it promises nothing but a reply.
LAST_WORDS = "您好，您的消息已收到，我们会尽快回复您。"
_LAST = {"text": LAST_WORDS, "kind": "hand_over"}

#: Slugs of the templates that ask instead of answering start with these.
ASK_BACK = "ask-back"
ASK_FOR_TEXT = "ask-for-text"

#: Categories whose templates say that a colleague follows.
HUMAN_CATEGORY = "转人工"
CALM_CATEGORY = "风险提示"
HANDING_OVER = frozenset({HUMAN_CATEGORY, CALM_CATEGORY, "投诉处理"})

#: The category that answers a line of this intent when it names no topic.
CATEGORY_OF_INTENT = {"chat": "闲聊回复", "welcome": "欢迎语", "conversion": "转化引导"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A template and its text, filled in; ``kind`` is what that does. Without text its file goes out alone."""

    chosen: Chosen[TemplateSnapshot]
    text: str
    kind: ReplyKind

    def fields(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Return it as fields of a result, with what says the same in other words."""
        others = [render(body, values) for body in self.chosen.others]
        return {
            "text": self.text,
            "kind": self.kind,
            "template": self.chosen.template.slug,
            "file": self.chosen.template.file,
            "variants": tuple(other for other in others if other != self.text and not answer_problem(other)),
        }


def recognise(chain: Chain, persona: PersonaSnapshot, text: str) -> IntentRecognitionResult:
    """Tell intent and topic by the rules in force and the small model."""
    started = time.monotonic()
    try:
        found = caches.recogniser().recognise(text)
    except Exception as error:
        logger.exception("local_recognition_failed")
        _note(chain, "intent", persona, started, {"text": text}, {}, error)
        return IntentRecognitionResult(UNCLEAR, None, 0.0, f"本地识别无法使用：{type(error).__name__}")
    answer = {"intent": found.intent, "topic": found.topic, "confidence": found.confidence, "why": found.why}
    _note(chain, "intent", persona, started, {"text": text}, answer)
    return IntentRecognitionResult(found.intent, found.topic, found.confidence, found.why)


def reply(chain: Chain, persona: PersonaSnapshot, text: str, options: GenerateOptions) -> GenerateReplyResult:
    """Answer with a template: of the topic where one fits, else of the general ones, else a colleague follows."""
    started = time.monotonic()
    request = {"text": text, "kind": options.kind, "intent": options.intent, "topic": options.topic}
    try:
        choice = next(_choices(persona, text, options), None)
        said = choice.fields(options.values) if choice else _LAST
    except Exception as error:
        logger.exception("local_reply_failed")
        _note(chain, "reply", persona, started, request, {}, error)
        return _result(chain, persona, _LAST)
    _note(chain, "reply", persona, started, request, {"text": said["text"], "template": said.get("template", "")})
    return _result(chain, persona, said)


def hints(persona: PersonaSnapshot, text: str, options: GenerateOptions) -> list[str]:
    """Return what the local model would say, as reference for a remote one; best first."""
    fitting = (c.text for c in _choices(persona, text, options) if c.kind == options.kind and c.text)
    return list(itertools.islice(fitting, options.max_hints))


def report(chain: Chain, persona: PersonaSnapshot, data: Any, options: ReportOptions) -> GenerateReportResult:
    """List the figures as they are, one a line."""
    started = time.monotonic()
    text = "\n".join([options.title, *_lines(data)])
    _note(chain, "report", persona, started, {"title": options.title}, {"text": text})
    return GenerateReportResult(text, PROVIDER, attempts=chain.attempts)


def _choices(persona: PersonaSnapshot, text: str, options: GenerateOptions) -> Iterator[Choice]:
    """Yield what may be said, best first: of each group of templates in turn, until all are used up."""
    known = [name for name, value in options.values.items() if value.strip()]
    for kind, topic, candidates in _groups(options):
        ranked = rank_templates(
            candidates,
            options.intent,
            topic,
            persona.role_type,
            options.seed,
            text=text,
            known=known,
            private=not options.is_group,
        )
        for chosen in ranked:
            said = render(chosen.body, options.values)
            file = chosen.template.file
            if not answer_problem(said) or (file and not said):
                yield Choice(chosen, said, _kind(chosen.template, kind))


def _groups(options: GenerateOptions) -> Iterator[tuple[ReplyKind, str | None, Sequence[TemplateSnapshot]]]:
    """The templates to choose from, as what, and under which category; the next group when one has nothing."""
    if options.kind == "answer":
        topic = options.topic or CATEGORY_OF_INTENT.get(options.intent)
        yield "answer", topic, _answers(topic)
        yield "answer", None, _answers(None)
    elif options.kind == "hand_over":
        wanted = options.topic if options.topic in HANDING_OVER else None
        topic = wanted or (CALM_CATEGORY if options.intent == "risk" else HUMAN_CATEGORY)
        yield "hand_over", topic, _answers(topic)
    else:
        prefix = ASK_BACK if options.kind == "ask_back" else ASK_FOR_TEXT
        asking = [t for t in templates_of(FALLBACK_CATEGORY) if t.slug.startswith(prefix)]
        yield options.kind, FALLBACK_CATEGORY, asking
    yield "hand_over", HUMAN_CATEGORY, _answers(HUMAN_CATEGORY)


def _answers(category: str | None) -> Sequence[TemplateSnapshot]:
    """The templates of a category (without one: the general ones) that do not ask instead of answering."""
    found = templates_of(category or FALLBACK_CATEGORY)
    return [t for t in found if not t.slug.startswith((ASK_BACK, ASK_FOR_TEXT))]


def _kind(template: TemplateSnapshot, wanted: ReplyKind) -> ReplyKind:
    """An answer of a category that passes on to a colleague does just that, whatever was asked for."""
    return "hand_over" if wanted == "answer" and template.category in HANDING_OVER else wanted


def _result(chain: Chain, persona: PersonaSnapshot, said: Mapping[str, Any]) -> GenerateReplyResult:
    return GenerateReplyResult(
        **said,
        source="template",
        provider=PROVIDER,
        persona_id=str(persona.id),
        persona_type=persona.role_type,
        attempts=chain.attempts,
    )


def _note(
    chain: Chain,
    task: TaskName,
    persona: PersonaSnapshot,
    started: float,
    request: dict[str, Any],
    response: dict[str, Any],
    error: Exception | None = None,
) -> None:
    chain.note(
        started=started,
        task=task,
        provider=PROVIDER,
        model_id=None,
        model_name="",
        persona_id=persona.id,
        cost=FREE,
        succeeded=error is None,
        error_kind="bad_answer" if error else "",
        error=f"{type(error).__name__}: {error}" if error else "",
        request=request,
        response=response,
    )


def _lines(data: Any, depth: int = 0) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(data, dict):
        for name, value in data.items():
            if isinstance(value, dict | list):
                yield f"{indent}- {name}："
                yield from _lines(value, depth + 1)
            else:
                yield f"{indent}- {name}：{value}"
    elif isinstance(data, list):
        for item in data:
            yield from _lines(item, depth) if isinstance(item, dict) else [f"{indent}- {item}"]
    else:
        yield indent + json.dumps(data, ensure_ascii=False, default=str)
