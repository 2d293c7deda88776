"""What an answer must not be before anybody may see it. Pure; the first problem found is named."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["FORBIDDEN_WORDS", "MAX_CHARS", "answer_problem"]

MAX_CHARS = 500

#: A customer is never told that his words were marked, a risk or a violation (design §4).
FORBIDDEN_WORDS: tuple[str, ...] = ("标记", "风险", "违规")

#: Words of our own prompts; an answer that repeats them leaks what only the model should read.
_PROMPT_MARKERS = ("<customer_text", "</customer_text", "<facts", "<hints", "系统提示词", "system prompt")
_UNRESOLVED = re.compile(r"\{\{.*?\}\}|\{\{|\}\}")
#: A line of the persona's prompt of at least this many characters is recognised when it is repeated.
_LEAK_CHARS = 12


def answer_problem(text: str, *, system_prompt: str = "", forbidden: Sequence[str] = FORBIDDEN_WORDS) -> str:
    """Return why this answer must not be sent, empty when it may be."""
    if not text.strip():
        return "the answer is empty"
    if _UNRESOLVED.search(text):
        return "a variable of a template was left unresolved"
    if len(text) > MAX_CHARS:
        return f"the answer has {len(text)} characters, at most {MAX_CHARS} are sent"
    if word := next((word for word in forbidden if word in text), ""):
        return f"the word {word} is never said to customers"
    if _leaks(text, system_prompt):
        return "the answer repeats its own instructions"
    return ""


def _leaks(text: str, system_prompt: str) -> bool:
    lowered = text.lower()
    if any(marker in lowered for marker in _PROMPT_MARKERS):
        return True
    lines = (line.strip() for line in system_prompt.splitlines())
    return any(len(line) >= _LEAK_CHARS and line in text for line in lines)
