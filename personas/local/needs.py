"""Which characters a pattern cannot do without: a look at them spares most searches.

Of RE2's syntax only what rules use is understood; what is not makes no needs, so that the pattern is always searched.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["needs_of"]

#: Of several sets, of each of which a match holds at least one character.
Needs = list[frozenset[str]]

_TOKEN = re.compile(
    r"(?P<group>\((?:\?:|\?P?<\w+>|(?!\?)))|(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<repeat>(?:[*+?]|\{\d+(?:,\d*)?\})\??)"
    r"|(?P<bare>\\[dDwWsSbB]|[.^$])|(?P<or>\|)|(?P<end>\))|(?P<literal>\\[^\w\s]|[^\\()\[\]{}])",
    re.DOTALL,
)
_OPTIONAL = re.compile(r"[*?]|\{0")
#: A class that lists its characters; ranges are those of digits.
_LISTED = re.compile(r"\[((?:0-9|[^\\\[\]^-])+)\]")


class _Unreadable(Exception):
    """The pattern holds what is not understood here."""


def needs_of(pattern: str) -> Needs:
    """Return sets of characters, of each of which every match of the pattern holds at least one; none if unknown."""
    try:
        return _Reader(pattern).alternatives()
    except _Unreadable:
        return []


class _Reader:
    """Reads a pattern once, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._tokens = _tokens(pattern)
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
        if kind == "group":
            return self.alternatives()
        if kind == "class":
            listed = _LISTED.fullmatch(text)
            return [frozenset(listed[1].replace("0-9", "0123456789"))] if listed else []
        return [frozenset(text[-1])] if kind == "literal" else []

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
