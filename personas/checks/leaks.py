"""An answer that tells what only the model, or only colleagues, should read."""

from __future__ import annotations

import re
from functools import lru_cache

from personas.checks.evidence import Evidence
from personas.checks.problem import Problem
from personas.figures import find_figures, normal_text
from personas.prompts.replies import REPLY_RULES

__all__ = ["leak_problem"]

LEAKED = Problem("leak", "回答泄露了系统提示或内部要求")
TOLD = Problem("leak", "回答说出了内部备注")

_MARKERS = re.compile(
    r"customer_text|</?\s*(?:facts|notes|hints)\b|内部校验码|system\s*prompt"
    r"|(?:我的|以下是|完整的?|全部的?)?(?:系统)?(?:提示词|指令|设定)(?:的内容|内容|全文|原文)?(?:是|为|如下|:)",
    re.IGNORECASE,
)
_PROMPT_WORD = re.compile(r"系统提示词|初始指令|系统指令")
_REFUSED = re.compile(r"不能|不会|无法|不便|不可以|没办法|不方便|不对外|抱歉")
_SENTENCE = re.compile(r"[^。!?\n]+")
_NOT_WORD = re.compile(r"[\W_]|[你您我]")
#: Of a persona's prompt two pieces of this length betray it, or one long one; a single fact in it may be told.
PIECE_CHARS = 8
LONG_PIECE_CHARS = 20
#: No piece of our own rules is ever said to a customer.
RULE_CHARS = 10
LEAST_NOTE_CHARS = 3


def leak_problem(text: str, evidence: Evidence) -> Problem | None:
    plain = normal_text(text)
    squeezed = _squeezed(plain)
    if _tells_canary(plain, evidence.voice.canary) or _speaks_of_prompt(plain):
        return LEAKED
    if any(squeezed[at : at + RULE_CHARS] in _rule_pieces() for at in range(len(squeezed) - RULE_CHARS + 1)):
        return LEAKED
    allowed = _squeezed(" ".join((*evidence.parts.hints, *evidence.parts.facts.values(), evidence.parts.line)))
    told = [p for p in _prompt_pieces(evidence.voice.system_prompt) if p in squeezed and p not in allowed]
    if len(told) > 1 or any(len(piece) >= LONG_PIECE_CHARS for piece in told):
        return LEAKED
    return TOLD if _tells_note(squeezed, evidence, allowed) else None


def _tells_canary(plain: str, canary: str) -> bool:
    if not canary:
        return False
    letters = re.sub(r"[^0-9a-z]", "", plain.lower())
    return canary in letters or canary[::-1] in letters


def _speaks_of_prompt(plain: str) -> bool:
    if _MARKERS.search(plain):
        return True
    sentences = _SENTENCE.findall(plain)
    return any(_PROMPT_WORD.search(sentence) and not _REFUSED.search(sentence) for sentence in sentences)


def _tells_note(squeezed: str, evidence: Evidence, allowed: str) -> bool:
    notes = (_squeezed(note) for note in evidence.parts.notes.values())
    return any(len(note) >= LEAST_NOTE_CHARS and note in squeezed and note not in allowed for note in notes)


def _squeezed(text: str) -> str:
    """Only words, without who is spoken to: a prompt's 你 is the model's 我."""
    return _NOT_WORD.sub("", text)


@lru_cache(maxsize=1)
def _rule_pieces() -> frozenset[str]:
    rules = _squeezed(normal_text(REPLY_RULES))
    return frozenset(rules[at : at + RULE_CHARS] for at in range(len(rules) - RULE_CHARS + 1))


@lru_cache(maxsize=128)
def _prompt_pieces(prompt: str) -> tuple[str, ...]:
    """The pieces of a prompt that are instructions: facts with figures in them are there to be told."""
    pieces = re.split(r"[。；;!?\n]", normal_text(prompt))
    told = (_squeezed(re.sub(r"^\s*\d+[.、)]", "", piece)) for piece in pieces if not find_figures(piece))
    return tuple(dict.fromkeys(piece for piece in told if len(piece) >= PIECE_CHARS))
