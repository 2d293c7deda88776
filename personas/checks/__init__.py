"""What an answer must not be before anybody may see it. Pure; the first problem found is named."""

from __future__ import annotations

import re
from collections.abc import Sequence

from personas.checks.claims import claim_problem
from personas.checks.evidence import Evidence
from personas.checks.language import language_problem
from personas.checks.leaks import leak_problem
from personas.checks.problem import Problem
from personas.checks.roles import role_problem

__all__ = ["FORBIDDEN_WORDS", "MAX_CHARS", "Evidence", "Problem", "answer_problem", "reply_problem", "tidied"]

MAX_CHARS = 500

#: A customer is never told that his words were marked, a risk or a violation (design §4).
FORBIDDEN_WORDS: tuple[str, ...] = ("标记", "风险", "违规")

_UNRESOLVED = re.compile(r"\{\{.*?\}\}|\{\{|\}\}")
_THOUGHTS = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_BOLD = re.compile(r"\*\*(.+?)\*\*")


def tidied(text: str) -> str:
    """Return an answer without what models add around it: their thoughts, bold marks, blank ends."""
    return _BOLD.sub(r"\1", _THOUGHTS.sub("", text)).strip()


def answer_problem(text: str, *, forbidden: Sequence[str] = FORBIDDEN_WORDS) -> Problem | None:
    """Judge a text by itself, whoever wrote it: a template as well as a model."""
    if not text.strip():
        return Problem("empty", "回答是空的")
    if _UNRESOLVED.search(text):
        return Problem("unresolved", "回答里留有没有填好的模板变量")
    if len(text) > MAX_CHARS:
        return Problem("too_long", f"回答有 {len(text)} 个字，最多 {MAX_CHARS} 个字")
    if word := next((word for word in forbidden if word in text), ""):
        return Problem("forbidden", f"对客户不能说“{word}”")
    return None


def reply_problem(text: str, evidence: Evidence, *, forbidden: Sequence[str] = FORBIDDEN_WORDS) -> Problem | None:
    """Judge a model's answer by what the model had been given."""
    return (
        answer_problem(text, forbidden=forbidden)
        or leak_problem(text, evidence)
        or language_problem(text, evidence)
        or role_problem(text, evidence)
        or claim_problem(text, evidence)
    )
