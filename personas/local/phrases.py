"""Phrases of rules and the search for all of them in one pass.

A phrase is plain Chinese with two signs: ``*`` stands for at most :data:`GAP` characters (``怎么*退款``), ``+``
joins parts that must all occur, in any order (``快递+没到``). One automaton finds the literal pieces of all
phrases; the few phrases whose pieces all occur are then looked at closely. Gaps inside the automaton would
multiply its states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import re2

from personas.local.normalise import normalise

__all__ = ["GAP", "PatternSet", "PhraseSet", "parse_phrase"]

GAP = 8

#: Bytes that one automaton may use for the states it remembers; with fewer it forgets and rebuilds them all the time.
MEMORY = 24 << 20

#: Patterns that share an automaton.
PATTERNS_TOGETHER = 16

#: Parts joined by ``+``, each the pieces between ``*``.
Parts = tuple[tuple[str, ...], ...]


def parse_phrase(phrase: str) -> Parts:
    """Split a phrase into normalised parts and pieces; raises ValueError when a piece is empty."""
    parts = tuple(tuple(normalise(piece, join=True) for piece in part.split("*")) for part in phrase.split("+"))
    if not all(piece for part in parts for piece in part):
        raise ValueError(f"nothing to search for around + or * in phrase {phrase!r}")
    return parts


class PatternSet:
    """Patterns in RE2 syntax, searched ``together`` at a time, in time linear in the text.

    The states of an automaton for patterns with gaps multiply, those of several automata only add up.
    """

    def __init__(self, patterns: Sequence[str], *, together: int = PATTERNS_TOGETHER) -> None:
        starts = range(0, len(patterns), together)
        self._sets = [(start, _compiled(patterns[start : start + together])) for start in starts]

    def search(self, text: str) -> list[int]:
        """Return the numbers of the patterns that occur, in ascending order."""
        return [start + number for start, found in self._sets for number in sorted(found.Match(text) or ())]


def _compiled(patterns: Sequence[str]) -> re2.Set:
    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    automaton = re2.Set.SearchSet(options)
    for pattern in patterns:
        automaton.Add(pattern)
    automaton.Compile()
    return automaton


class PhraseSet:
    """All phrases of all rules; tells by number which of them a line contains."""

    def __init__(self, phrases: Iterable[str]) -> None:
        all_parts = [parse_phrase(phrase) for phrase in phrases]
        self._pieces: dict[str, int] = {}
        self._by_piece: dict[int, list[int]] = {}
        for number, parts in enumerate(all_parts):
            pieces = [piece for part in parts for piece in part]
            ids = [self._pieces.setdefault(piece, len(self._pieces)) for piece in pieces]
            rarest = ids[max(range(len(pieces)), key=lambda place: len(pieces[place]))]
            self._by_piece.setdefault(rarest, []).append(number)
        #: Of phrases with more than one piece; the others are found with their piece.
        self._close_look = {number: parts for number, parts in enumerate(all_parts) if len(sum(parts, ())) > 1}
        self._found = PatternSet([re2.escape(piece) for piece in self._pieces], together=max(len(self._pieces), 1))

    def search(self, line: str) -> list[int]:
        """Return the numbers of the phrases that the normalised line contains, in ascending order."""
        return sorted(
            number
            for piece in self._found.search(line)
            for number in self._by_piece.get(piece, ())
            if number not in self._close_look or all(_occurs(part, line) for part in self._close_look[number])
        )


def _occurs(pieces: tuple[str, ...], line: str) -> bool:
    first, rest = pieces[0], pieces[1:]
    return any(_follows(rest, line, start + len(first)) for start in _starts(first, line, 0, len(line)))


def _follows(pieces: tuple[str, ...], line: str, at: int) -> bool:
    if not pieces:
        return True
    first, rest = pieces[0], pieces[1:]
    last = at + GAP + len(first)
    return any(_follows(rest, line, start + len(first)) for start in _starts(first, line, at, last))


def _starts(piece: str, line: str, begin: int, end: int) -> Iterator[int]:
    start = line.find(piece, begin, end)
    while start >= 0:
        yield start
        start = line.find(piece, start + 1, end)
