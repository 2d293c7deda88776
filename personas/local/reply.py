"""Choosing what to say without a model: one template of the recognised topic, the same one on every replay."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

from personas.local.normalise import normalise
from templates_lib.render import variables_of

__all__ = ["FALLBACK_CATEGORY", "Candidate", "Chosen", "choose_template"]

#: Where answers come from when a line has no topic.
FALLBACK_CATEGORY = "通用回复"

#: A category's general answer (``…-general``) beats its siblings unless they share this much with the line.
_GENERAL_FIT = 0.5
_GENERAL = "-general"

_FUNCTION_WORDS = re.compile(
    "为什么|怎么办|怎么|什么|能不能|可不可以|可以|请问|一下|一个|这个|那个|你们|我们|[我你他她它的吗呢吧啊呀嘛这那就都也还能要会个?]"
)


class Candidate(Protocol):
    """What is looked at; ``templates_lib.library.Template`` has this shape."""

    @property
    def slug(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def intents(self) -> Sequence[str]: ...
    @property
    def persona_type(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def private_body(self) -> str: ...
    @property
    def variants(self) -> Sequence[str]: ...


CandidateT = TypeVar("CandidateT", bound=Candidate)


@dataclass(frozen=True, slots=True)
class Chosen(Generic[CandidateT]):
    """The template and the wording to render; ``body`` still holds its variables. ``others``: its further wordings."""

    template: CandidateT
    body: str
    others: tuple[str, ...] = ()


def choose_template(
    candidates: Iterable[CandidateT],
    intent: str,
    topic: str | None,
    persona_type: str,
    seed: str,
    *,
    text: str = "",
    known: Collection[str] = (),
    private: bool = False,
) -> Chosen[CandidateT] | None:
    """Choose the answer to a line, or None when no candidate may be used.

    Only templates of the topic (without one: of :data:`FALLBACK_CATEGORY`) that serve the intent and have a
    wording whose variables are all in ``known`` take part. They are ranked by how much of the customer's
    ``text`` their name and description share, then by persona type. What is still equal, and the wording,
    is drawn by ``seed`` (the message's id), so that a replayed run says the same.
    """
    usable = [c for c in candidates if _serves(c, intent, topic) and _wordings(c, known, private=private)]
    if not usable:
        return None
    fits = _fits(usable, text)
    best = max(
        usable,
        key=lambda c: (fits[c.slug], c.persona_type == persona_type, not c.persona_type, _draw(seed, c.slug)),
    )
    wordings = _wordings(best, known, private=private)
    first, *others = sorted(wordings, key=lambda wording: _draw(seed, wording), reverse=True)
    return Chosen(best, first, tuple(others))


def _serves(candidate: Candidate, intent: str, topic: str | None) -> bool:
    if candidate.category != (topic or FALLBACK_CATEGORY):
        return False
    # With a topic the category says enough: a persona may answer a chat line of a service topic.
    return topic is not None or not candidate.intents or intent in candidate.intents


def _wordings(candidate: Candidate, known: Collection[str], *, private: bool) -> list[str]:
    texts = [candidate.private_body] if private and candidate.private_body else []
    # without any text a template is the file that it sends
    texts = texts or [text for text in (candidate.body, *candidate.variants) if text] or [""]
    return [text for text in texts if set(variables_of(text)) <= set(known)]


def _fits(candidates: Sequence[Candidate], text: str) -> dict[str, float]:
    """How much of the line each candidate's name and description share; a pair that many share counts less."""
    pairs = _pairs(text)
    shared = {c.slug: pairs & _pairs(f"{c.name} {c.description}") for c in candidates}
    common = Counter(pair for found in shared.values() for pair in found)
    fits = {slug: sum(1 / common[pair] for pair in found) for slug, found in shared.items()}
    return {slug: max(fit, _GENERAL_FIT) if slug.endswith(_GENERAL) else fit for slug, fit in fits.items()}


@lru_cache(maxsize=2048)
def _pairs(text: str) -> frozenset[str]:
    """Neighbouring characters, the smallest words of Chinese, without words that any question has."""
    line = _FUNCTION_WORDS.sub(" ", normalise(text, join=True))
    return frozenset(line[i : i + 2] for i in range(len(line) - 1) if " " not in line[i : i + 2])


def _draw(seed: str, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}\x00{name}".encode(), digest_size=8).digest()
