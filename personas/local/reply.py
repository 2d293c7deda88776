"""Which template answers: by topic, intent and persona type, the same one for the same line. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from personas.types import ReplyKind
from templates_lib.render import MissingVariablesError, render

__all__ = ["GENERAL", "HUMAN", "Choice", "Template", "choices"]

#: Categories that answer when nothing fits better.
GENERAL = "通用回复"
HUMAN = "转人工"

#: Slugs of the templates that ask what was meant start with these.
ASK_BACK = "ask-back"
ASK_FOR_TEXT = "ask-for-text"

#: The category that answers a line of this intent when it names no topic of its own.
TOPIC_OF_INTENT = {
    "chat": "闲聊回复",
    "welcome": "欢迎语",
    "conversion": "转化引导",
    "risk": "风险提示",
    "help": GENERAL,
    "unclear": GENERAL,
}


class Template(Protocol):
    """What is needed of a template; ``topic`` is its category's name."""

    @property
    def slug(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def private_body(self) -> str: ...
    @property
    def variants(self) -> Sequence[str]: ...
    @property
    def persona_type(self) -> str: ...
    @property
    def intents(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """A template filled in; ``kind`` is what its text does."""

    slug: str
    text: str
    kind: ReplyKind


def choices(
    templates: Sequence[Template],
    *,
    kind: ReplyKind,
    topic: str | None,
    intent: str,
    persona_type: str,
    is_private: bool,
    values: Mapping[str, str],
    seed: str,
) -> Iterator[Choice]:
    """Yield what may be said, best first. Templates whose values are not known are passed over."""
    for step_kind, candidates in _steps(templates, kind, topic, intent):
        ranked = sorted(candidates, key=lambda t: (-_fit(t, intent, persona_type), _shuffle(seed, t.slug)))
        for template in ranked:
            for text in _texts(template, is_private=is_private, seed=seed):
                try:
                    yield Choice(template.slug, render(text, values), step_kind)
                except MissingVariablesError:
                    continue


def _steps(
    templates: Sequence[Template], kind: ReplyKind, topic: str | None, intent: str
) -> Iterator[tuple[ReplyKind, list[Template]]]:
    """The groups of templates to look through, one after the other."""

    def of(category: str) -> list[Template]:
        return [t for t in templates if t.topic == category]

    if kind == "answer":
        wanted = topic or TOPIC_OF_INTENT.get(intent, GENERAL)
        yield "answer", [t for t in of(wanted) if not _asks(t)]
    elif kind in ("ask_back", "ask_for_text"):
        prefix = ASK_BACK if kind == "ask_back" else ASK_FOR_TEXT
        yield kind, [t for t in of(GENERAL) if t.slug.startswith(prefix)]
    elif topic or intent in TOPIC_OF_INTENT:
        yield "hand_over", [t for t in of(topic or TOPIC_OF_INTENT[intent]) if intent in t.intents]
    yield "hand_over", of(HUMAN)
    yield "ask_back", [t for t in of(GENERAL) if t.slug.startswith(ASK_BACK)]


def _asks(template: Template) -> bool:
    return template.slug.startswith((ASK_BACK, ASK_FOR_TEXT))


def _fit(template: Template, intent: str, persona_type: str) -> int:
    """Rank: written for this persona beats written for all beats written for another; so with intents."""
    persona = 2 if template.persona_type == persona_type else 1 if not template.persona_type else 0
    meant = 2 if intent in template.intents else 1 if not template.intents else 0
    return 3 * meant + persona


def _texts(template: Template, *, is_private: bool, seed: str) -> list[str]:
    """The template's wordings, starting with the one that this line's seed picks."""
    if is_private and template.private_body:
        return [template.private_body, template.body]
    texts = [template.body, *template.variants]
    first = _shuffle(seed, template.slug) % len(texts)
    return texts[first:] + texts[:first]


def _shuffle(seed: str, slug: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{slug}".encode(), digest_size=8).digest(), "big")
