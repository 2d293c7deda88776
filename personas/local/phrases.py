"""Phrases of rules and the search for all of them in one pass.

A phrase is plain Chinese with two signs: ``*`` stands for at most :data:`GAP` characters (``怎么*退款``), ``+``
joins parts that must all occur, in any order (``快递+没到``). The line is looked through once for the literal pieces of
all phrases; the few phrases whose pieces all occur are then looked at closely.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import re2

from personas.local.normalise import normalise
from personas.needs import Sieve

__all__ = ["GAP", "PatternSet", "PhraseSet", "parse_phrase"]

GAP = 8

#: Bytes that one automaton may use for the states it remembers; with fewer it forgets and rebuilds them all the time.
MEMORY = 2 << 20

#: Characters by which pieces are found.
OPENING = 2

#: Parts joined by ``+``, each the pieces between ``*``.
Parts = tuple[tuple[str, ...], ...]


def parse_phrase(phrase: str) -> Parts:
    """Split a phrase into normalised parts and pieces; raises ValueError when a piece is empty."""
    parts = tuple(tuple(normalise(piece, join=True) for piece in part.split("*")) for part in phrase.split("+"))
    if not all(piece for part in parts for piece in part):
        raise ValueError(f"nothing to search for around + or * in phrase {phrase!r}")
    return parts


class PatternSet:
    """Patterns in RE2 syntax, searched in time linear in the text.

    Each has an automaton of its own: the states of one for all would multiply. Most are not searched at all, because
    the text lacks characters that they cannot do without.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._automata = [_compiled(pattern) for pattern in patterns]
        self._sieve = Sieve(patterns)

    def search(self, text: str) -> list[int]:
        """Return the numbers of the patterns that occur, in ascending order."""
        encoded = text.encode()
        return [number for number in self._sieve.possible(text) if self._automata[number].Match(encoded)]


def _compiled(pattern: str) -> re2.Set:
    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    automaton = re2.Set.SearchSet(options)
    automaton.Add(pattern)
    automaton.Compile()
    return automaton


@dataclass(frozen=True, slots=True)
class _Phrase:
    """``pieces`` are the numbers of the literal pieces that a line must hold; ``parts`` is empty when that suffices."""

    number: int
    pieces: frozenset[int]
    parts: Parts


class PhraseSet:
    """All phrases of all rules; tells by number which of them a line contains."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._pieces: dict[str, int] = {}
        lengths: dict[str, set[int]] = {}
        self._by_piece: dict[int, list[_Phrase]] = {}
        for number, phrase in enumerate(phrases):
            parts = parse_phrase(phrase)
            pieces = [piece for part in parts for piece in part]
            ids = [self._pieces.setdefault(piece, len(self._pieces)) for piece in pieces]
            for piece in pieces:
                lengths.setdefault(piece[:OPENING], set()).add(len(piece))
            rarest = self._pieces[max(pieces, key=len)]
            close_look = parts if len(pieces) > 1 else ()
            self._by_piece.setdefault(rarest, []).append(_Phrase(number, frozenset(ids), close_look))
        #: What pieces begin with, and how long those are: so a line is looked through in steps of one lookup.
        self._lengths = {opening: tuple(found) for opening, found in lengths.items()}

    def search(self, line: str) -> list[int]:
        """Return the numbers of the phrases that the normalised line contains, in ascending order."""
        found = self._pieces_in(line)
        return sorted(
            [
                phrase.number
                for piece in found
                for phrase in self._by_piece.get(piece, ())
                if not phrase.parts or (phrase.pieces <= found and all(_occurs(part, line) for part in phrase.parts))
            ]
        )

    def _pieces_in(self, line: str) -> set[int]:
        found = set()
        for start in range(len(line)):
            for opening in (line[start], line[start : start + OPENING]):
                for length in self._lengths.get(opening, ()):
                    piece = self._pieces.get(line[start : start + length])
                    if piece is not None:
                        found.add(piece)
        return found


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
