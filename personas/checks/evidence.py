"""What a model was given, sorted by who said it: only what we said ourselves may be promised."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from personas.figures import Figure, find_figures, normal_text
from personas.prompts import ReplyParts, Voice

__all__ = ["Evidence", "Facts"]

#: Facts that the customer has named himself.
_CHOSEN_BY_CUSTOMERS = frozenset({"userName", "groupName"})

_BARE = re.compile(r"(?<![\d.])(?:\d{2,}(?:\.\d+)?|\d\.\d+)(?![\d.]|\s*[天日小个月年周号点%折分秒])")
_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-z]")


@dataclass(frozen=True)
class Facts:
    """What some texts say, in normal form."""

    texts: tuple[str, ...]

    @cached_property
    def plain(self) -> str:
        return "\n".join(map(normal_text, self.texts))

    @cached_property
    def figures(self) -> frozenset[tuple[str, str]]:
        return frozenset((figure.kind, figure.value) for text in self.texts for figure in find_figures(text))

    @cached_property
    def squeezed(self) -> str:
        return "".join(map(_squeezed, self.texts))

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Numbers without a unit of time: ``价格 199`` says as much as ``199元``."""
        return frozenset(_without_zeros(number) for number in _BARE.findall(self.plain))

    def values(self, kind: str) -> Iterable[str]:
        return (value for found, value in self.figures if found == kind)

    def support(self, figure: Figure) -> bool:
        """Tell whether a figure of an answer stands here too, written in whatever way."""
        if figure.kind in ("phone", "number", "contact"):
            return _NOT_ALPHANUMERIC.sub("", figure.value) in self.squeezed
        if (figure.kind, figure.value) in self.figures:
            return True
        close = _CLOSE.get(figure.kind)
        return bool(close and any(close(figure.value, value) for value in self.values(figure.kind))) or (
            figure.kind in ("amount", "percent") and figure.value in self.numbers
        )


@dataclass(frozen=True)
class Evidence:
    """All that an answer may rest on. ``notes`` must not be told; ``line`` is what is answered."""

    voice: Voice
    parts: ReplyParts

    @cached_property
    def ours(self) -> Facts:
        parts = self.parts
        facts = (value for name, value in parts.facts.items() if name not in _CHOSEN_BY_CUSTOMERS)
        said = (turn.content for turn in parts.turns if turn.role == "assistant")
        return Facts((self.voice.system_prompt, parts.instructions, *parts.hints, *facts, *said))

    @cached_property
    def theirs(self) -> Facts:
        parts = self.parts
        names = (value for name, value in parts.facts.items() if name in _CHOSEN_BY_CUSTOMERS)
        said = (turn.content for turn in parts.turns if turn.role != "assistant")
        return Facts((parts.line, parts.summary, *names, *said))


@lru_cache(maxsize=512)
def _squeezed(text: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", normal_text(text).lower())


def _without_zeros(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def _close_link(said: str, known: str) -> bool:
    """The address of a site whose page is known."""
    return known.startswith((f"{said}/", f"{said}?"))


def _close_date(said: str, known: str) -> bool:
    """``6-18``, ``d18`` and ``m6`` are parts of ``2026-6-18``; a year that was not given is not looked at."""
    if "-" not in known:
        return False
    year, month, day = ["", *known.split("-")][-3:]
    if said[0] in "dmy":
        return said == f"d{day}" or said == f"m{month}" or (bool(year) and said == f"y{year}")
    parts = said.split("-")
    return parts[-2:] == [month, day] and (len(parts) == 2 or year in ("", parts[0]))


def _close_time(said: str, known: str) -> bool:
    """Where one side does not say which half of the day it means, either will do."""
    if "?" not in said + known:
        return False
    return _on_twelve(said) == _on_twelve(known)


def _on_twelve(time: str) -> tuple[int, str]:
    hour, minute = time.lstrip("?").split(":")
    return int(hour) % 12, minute


_CLOSE = {"link": _close_link, "date": _close_date, "time": _close_time}
