"""What the small model sees of a line: character n-grams, the line's shape, and which rules found something.

A token is a string. N-grams are written as they are; signs that :mod:`personas.local.normalise` never leaves in a
line mark the others: ``^`` what a line begins with, ``$`` what it ends with, ``#`` a property of the shape, ``!`` a
rule (by slug) or what the rules together speak for.
"""

from __future__ import annotations

import re
from collections import Counter

from personas.local.recogniser import Evidence, Recognition

__all__ = ["BEGIN", "END", "RULE", "SHAPE", "VERDICT", "grams", "marks"]

#: Longer n-grams are found in too few examples: out of fold they make it worse.
MAX_GRAM = 3

BEGIN = "^"
END = "$"

SHAPE = "#"
RULE = "!"
VERDICT = "!="

#: A bare word or two is mostly no wish at all. Beyond the last, length tells who writes, not what is meant.
_LENGTHS = (2, 4, 6, 9, 14, 20)

_SHAPES = {
    "digit": re.compile(r"\d"),
    "number": re.compile(r"\d{5}"),
    "contact": re.compile(r"https?:|www|[+➕]|[a-z]{2,}\d{3}", re.IGNORECASE),
    "picture": re.compile("[\U0001f300-\U0001faff\u2600-\u27bf【】]"),
    "mention": re.compile("@"),
    "cry": re.compile("[!！]"),
    "pause": re.compile("[,，。;；]"),
}
_FORMS = {
    "question": re.compile(r"\?"),
    "open end": re.compile("[吗呢么嘛不没]$"),
    "I": re.compile("我"),
    "you": re.compile("你"),
    "plural": re.compile("们"),
}
_NUMBER = re.compile(r"\d+")
#: A number longer than this is just long.
_LONG_NUMBER = 4
#: Numbers that are names: of the police, of the authorities.
_NAMED = frozenset({"110", "120", "315", "12315", "12345", "12321", "12300", "12348"})
_INNER_SPACE = re.compile(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")


def grams(line: str) -> Counter[str]:
    """Count the n-grams of a normalised line, whatever words they belong to; of a number only its length counts."""
    line = _NUMBER.sub(_length_only, _INNER_SPACE.sub("", line))
    sizes = range(1, min(MAX_GRAM, len(line)) + 1)
    found = Counter(line[i : i + n] for n in sizes for i in range(len(line) - n + 1))
    found.update(BEGIN + line[:n] for n in sizes)
    found.update(line[-n:] + END for n in sizes)
    return found


def _length_only(number: re.Match[str]) -> str:
    return number.group() if number.group() in _NAMED else "0" * min(len(number.group()), _LONG_NUMBER)


def marks(text: str, evidence: Evidence, verdict: Recognition) -> dict[str, float]:
    """Return the tokens that are no n-grams, with how much each applies (0..1)."""
    line = evidence.line
    found = {f"{SHAPE}longer than {n}": 1.0 for n in _LENGTHS if len(line) > n}
    found |= {f"{SHAPE}{name}": 1.0 for name, pattern in _SHAPES.items() if pattern.search(text)}
    found |= {f"{SHAPE}{name}": 1.0 for name, pattern in _FORMS.items() if pattern.search(line)}
    said = {"asks": evidence.asked, "addresses": evidence.addressed, "needs": evidence.needed}
    found |= {f"{SHAPE}{name}": 1.0 for name, applies in said.items() if applies}
    found |= {f"{RULE}{slug}": 1.0 for slug in sorted(evidence.rules)}
    found |= {f"{RULE}~{c.topic or c.intent}": c.score for c in evidence.candidates}
    return found | {f"{VERDICT}{verdict.intent}": 1.0, f"{VERDICT}{verdict.topic}": verdict.confidence}
