"""Which characters a pattern cannot do without: one look at a text's characters spares most searches.

Of the syntax that RE2 and Python share only what we use is understood; what is not makes no needs, so that the pattern
is always searched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["Sieve", "needs_of"]

#: How many needs of a pattern are looked at, those that fewest texts meet first.
LOOKED_AT = 4

#: Of several sets, of each of which a match holds at least one character.
Needs = list[frozenset[str]]

_TOKEN = re.compile(
    r"(?P<around>\(\?<?[=!])|(?P<group>\((?:\?:|\?P?<\w+>|(?!\?)))|(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<repeat>(?:[*+?]|\{\d+(?:,\d*)?\})\??)"
    r"|(?P<bare>\\[dDwWsSbB]|[.^$])|(?P<or>\|)|(?P<end>\))|(?P<literal>\\[^\w\s]|[^\\()\[\]{}])",
    re.DOTALL,
)
_OPTIONAL = re.compile(r"[*?]|\{0")
#: A class that lists its characters; ranges are those of digits.
_LISTED = re.compile(r"\[((?:0-9|[^\\\[\]^-])+)\]")


class Sieve:
    """Tells which of many patterns can occur in a text at all.

    For all of them at once: a pattern has a bit for each of its needs, in as many rows of bits as are looked at.
    """

    def __init__(self, patterns: Sequence[str], *, ignore_case: bool = False) -> None:
        self._size = len(patterns)
        self._met_by: dict[str, int] = {}
        self._met = 0
        for number, pattern in enumerate(patterns):
            needs = sorted(needs_of(pattern, ignore_case=ignore_case), key=len)
            for row in range(LOOKED_AT):
                bit = 1 << row * self._size + number
                for character in needs[row] if row < len(needs) else ():
                    self._met_by[character] = self._met_by.get(character, 0) | bit
                self._met |= bit if row >= len(needs) else 0

    def possible(self, text: str) -> Iterator[int]:
        """Yield the numbers of the patterns whose needs the text meets, in ascending order."""
        met = self._met
        for character in set(text):
            met |= self._met_by.get(character, 0)
        possible = met & (1 << self._size) - 1
        for _ in range(1, LOOKED_AT):
            met >>= self._size
            possible &= met
        while possible:
            lowest = possible & -possible
            possible ^= lowest
            yield lowest.bit_length() - 1


class _Unreadable(Exception):
    """The pattern holds what is not understood here."""


def needs_of(pattern: str, *, ignore_case: bool = False) -> Needs:
    """Return sets of characters, of each of which every match of the pattern holds at least one; none if unknown."""
    try:
        return _Reader(pattern, ignore_case).alternatives()
    except _Unreadable:
        return []


class _Reader:
    """Reads a pattern once, from left to right."""

    def __init__(self, pattern: str, ignore_case: bool) -> None:
        self._tokens = _tokens(pattern)
        self._ignore_case = ignore_case
        self._at = 0

    def alternatives(self) -> Needs:
        """Read up to the end of a group, or of the pattern."""
        branches: list[Needs] = [[]]
        while (token := self._next()) and token[0] != "end":
            if token[0] == "or":
                branches.append([])
                continue
            needs = self._needs(*token)
            if not self._is_optional():
                branches[-1] += needs
        return branches[0] if len(branches) == 1 else _either(branches)

    def _needs(self, kind: str, text: str) -> Needs:
        if kind in ("group", "around"):
            needs = self.alternatives()
            return needs if kind == "group" else []
        if kind == "class":
            listed = _LISTED.fullmatch(text)
            return self._one_of(listed[1].replace("0-9", "0123456789")) if listed else []
        return self._one_of(text[-1]) if kind == "literal" else []

    def _one_of(self, characters: str) -> Needs:
        """Letters of another case are not listed: with them allowed, letters are no need."""
        is_cased = self._ignore_case and characters.lower() != characters.upper()
        return [] if is_cased else [frozenset(characters)]

    def _is_optional(self) -> bool:
        token = self._next()
        if token and token[0] == "repeat":
            return bool(_OPTIONAL.match(token[1]))
        self._at -= 1
        return False

    def _next(self) -> tuple[str, str] | None:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else None


def _tokens(pattern: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            raise _Unreadable
        found.append((str(token.lastgroup), token[0]))
        at = token.end()
    return found


def _either(branches: Sequence[Needs]) -> Needs:
    """Of each branch the need that the fewest lines meet; none as soon as one branch has none."""
    if not all(branches):
        return []
    return [frozenset().union(*(min(needs, key=len) for needs in branches))]
