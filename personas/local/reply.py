"""Choosing what to say without a model: a template of the recognised topic, the same one on every replay."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

from personas.local.normalise import normalise
from templates_lib.render import variables_of

__all__ = ["FALLBACK_CATEGORY", "Candidate", "Chosen", "rank_templates"]

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


def rank_templates(
    candidates: Sequence[CandidateT],
    intent: str,
    topic: str | None,
    persona_type: str,
    seed: str,
    *,
    text: str = "",
    known: Collection[str] = (),
    private: bool = False,
) -> Iterator[Chosen[CandidateT]]:
    """Yield the answers to a line, each the best of those that are left.

    Only templates of the topic (without one: of :data:`FALLBACK_CATEGORY`) that serve the intent and have a
    wording whose variables are all in ``known`` take part. They are ranked by how much of the customer's
    ``text`` their name and description share, then by persona type. What is still equal, and the wording,
    is drawn by ``seed`` (the message's id), so that a replayed run says the same.
    """
    names = frozenset(known)
    wordings = {c.slug: _wordings(c, names, private=private) for c in candidates if _serves(c, intent, topic)}
    usable = [c for c in candidates if wordings.get(c.slug)]
    while usable:
        best = _best(usable, text, persona_type, seed)
        first, *others = sorted(wordings[best.slug], key=lambda wording: _draw(seed, wording), reverse=True)
        yield Chosen(best, first, tuple(others))
        usable.remove(best)


def _serves(candidate: Candidate, intent: str, topic: str | None) -> bool:
    if candidate.category != (topic or FALLBACK_CATEGORY):
        return False
    # With a topic the category says enough: a persona may answer a chat line of a service topic.
    return topic is not None or not candidate.intents or intent in candidate.intents


def _wordings(candidate: Candidate, known: frozenset[str], *, private: bool) -> list[str]:
    texts = [candidate.private_body] if private and candidate.private_body else []
    # without any text a template is the file that it sends
    texts = texts or [text for text in (candidate.body, *candidate.variants) if text] or [""]
    return [text for text in texts if known.issuperset(variables_of(text))]


def _best(candidates: Sequence[CandidateT], text: str, persona_type: str, seed: str) -> CandidateT:
    fits = _fits(candidates, text)
    fit = max(fits.values())
    fitting = [c for c in candidates if fits[c.slug] == fit]
    if len(fitting) == 1:
        return fitting[0]
    return max(fitting, key=lambda c: (c.persona_type == persona_type, not c.persona_type, _draw(seed, c.slug)))


def _fits(candidates: Sequence[Candidate], text: str) -> dict[str, float]:
    """How much of the line each candidate's name and description share; a pair that many share counts less."""
    pairs = _pairs(text)
    shared = {c.slug: pairs & _pairs(f"{c.name} {c.description}") for c in candidates}
    common: dict[str, int] = {}
    for pair in itertools.chain.from_iterable(shared.values()):
        common[pair] = common.get(pair, 0) + 1
    fits = {slug: sum([1 / common[pair] for pair in found]) for slug, found in shared.items()}
    return {slug: max(fit, _GENERAL_FIT) if slug.endswith(_GENERAL) else fit for slug, fit in fits.items()}


@lru_cache(maxsize=2048)
def _pairs(text: str) -> frozenset[str]:
    """Neighbouring characters, the smallest words of Chinese, without words that any question has."""
    line = _FUNCTION_WORDS.sub(" ", normalise(text, join=True))
    return frozenset(line[i : i + 2] for i in range(len(line) - 1) if " " not in line[i : i + 2])


def _draw(seed: str, name: str) -> bytes:
    return hashlib.blake2b(f"{seed}\x00{name}".encode(), digest_size=8).digest()
