"""An answer in another language than the customer's."""

from __future__ import annotations

import re

from personas.checks.evidence import Evidence
from personas.checks.problem import Problem
from personas.figures import find_figures, normal_text

__all__ = ["language_problem"]

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LETTER = re.compile(r"[A-Za-z]")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’]*")
_OTHER_SCRIPT = re.compile(r"[\u3040-\u30ff\uac00-\ud7af\u0400-\u04ff\u0600-\u06ff\u0e00-\u0e7f]")
#: Names of products stand in Chinese sentences; a sentence of another language has this many words of its own.
LEAST_WORDS = 4
#: Without any Chinese so many words are enough.
LEAST_ALONE = 3


def language_problem(text: str, evidence: Evidence) -> Problem | None:
    if not _CHINESE.search(evidence.parts.line):
        return None
    plain = normal_text(text)
    if len(_LETTER.findall(plain)) < LEAST_ALONE and not _OTHER_SCRIPT.search(plain):
        return None
    for figure in find_figures(text):
        if figure.kind in ("link", "contact"):
            plain = plain.replace(figure.text, " ")
    chinese = len(_CHINESE.findall(plain))
    words = [word for word in _WORD.findall(plain) if not _known(word, evidence)]
    foreign = len(_OTHER_SCRIPT.findall(plain))
    if (len(words) >= (LEAST_WORDS if chinese else LEAST_ALONE) and len(words) > chinese) or foreign > max(
        3, chinese / 2
    ):
        return Problem("language", "客户说中文，回答却大部分不是中文")
    return None


def _known(word: str, evidence: Evidence) -> bool:
    return word.lower() in evidence.ours.plain.lower() or word.lower() in evidence.theirs.plain.lower()
