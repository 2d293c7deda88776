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
_LONGER = [(f"{SHAPE}longer than {least}", least) for least in _LENGTHS]

#: Of the text as it was typed, and of the normalised line.
_SHAPES = [
    (f"{SHAPE}digit", re.compile(r"\d")),
    (f"{SHAPE}number", re.compile(r"\d{5}")),
    (f"{SHAPE}contact", re.compile(r"https?:|www|[+➕]|[a-z]{2,}\d{3}", re.IGNORECASE)),
    (f"{SHAPE}picture", re.compile("[\U0001f300-\U0001faff\u2600-\u27bf【】]")),
    (f"{SHAPE}mention", re.compile("@")),
    (f"{SHAPE}cry", re.compile("[!！]")),
    (f"{SHAPE}pause", re.compile("[,，。;；]")),
]
_FORMS = [
    (f"{SHAPE}question", re.compile(r"\?")),
    (f"{SHAPE}open end", re.compile("[吗呢么嘛不没]$")),
    (f"{SHAPE}I", re.compile("我")),
    (f"{SHAPE}you", re.compile("你")),
    (f"{SHAPE}plural", re.compile("们")),
]
_ASKS, _ADDRESSES, _NEEDS = f"{SHAPE}asks", f"{SHAPE}addresses", f"{SHAPE}needs"
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
    found = [line[i : i + n] for n in sizes for i in range(len(line) - n + 1)]
    found += [BEGIN + line[:n] for n in sizes]
    found += [line[-n:] + END for n in sizes]
    return Counter(found)


def _length_only(number: re.Match[str]) -> str:
    return number.group() if number.group() in _NAMED else "0" * min(len(number.group()), _LONG_NUMBER)


def marks(text: str, evidence: Evidence, verdict: Recognition) -> dict[str, float]:
    """Return the tokens that are no n-grams, with how much each applies (0..1)."""
    line = evidence.line
    length = len(line)
    said = ((_ASKS, evidence.asked), (_ADDRESSES, evidence.addressed), (_NEEDS, evidence.needed))
    names = [name for name, least in _LONGER if length > least]
    names += [name for name, pattern in _SHAPES if pattern.search(text)]
    names += [name for name, pattern in _FORMS if pattern.search(line)]
    names += [name for name, applies in said if applies]
    names += [RULE + slug for slug in sorted(evidence.rules)]
    found = dict.fromkeys(names, 1.0)
    found.update([(f"{RULE}~{c.topic or c.intent}", c.score) for c in evidence.candidates])
    found[f"{VERDICT}{verdict.intent}"] = 1.0
    found[f"{VERDICT}{verdict.topic}"] = verdict.confidence
    return found
