"""Small helpers for texts: names that are compared, words that are searched, values that are shown short."""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["PICTURE_OPENS", "bigrams", "mask_id", "normalise_name", "shorten"]

#: Begins what a model has seen on a customer's picture, where that stands in a text; 」 ends it.
PICTURE_OPENS: Final = "「图片："
#: Invisible characters that phones and input methods leave in names: zero width, direction marks, BOM.
_INVISIBLE = dict.fromkeys([0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x202A, 0x202F)])


def normalise_name(name: str) -> str:
    """Return the form in which names of rooms and people are compared.

    Full-width letters, runs of spaces, invisible characters and letter case do not tell two names apart.
    """
    visible = unicodedata.normalize("NFKC", name).translate(_INVISIBLE)
    return " ".join(visible.split()).casefold()


def bigrams(text: str) -> list[str]:
    """Return the distinct character pairs of a text in order, per word; a word of one character stands alone.

    Chinese has no spaces, so words of two characters are found by the pairs that contain them.
    """
    found: dict[str, None] = {}
    for word in _words(unicodedata.normalize("NFKC", text).casefold()):
        pairs = [word[i : i + 2] for i in range(len(word) - 1)] or [word]
        found.update(dict.fromkeys(pairs))
    return list(found)


def _words(text: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in text).split()


def shorten(text: str, limit: int) -> str:
    """Return at most ``limit`` characters on one line, the last being ``…`` when something was cut."""
    line = " ".join(text[: 4 * limit].split()) if len(text) > 4 * limit else " ".join(text.split())
    return line if len(line) <= limit else f"{line[: max(limit - 1, 0)]}…"


def mask_id(value: str) -> str:
    """Return ``a…3f``: enough of an id to tell two apart, too little to use it."""
    return f"{value[0]}…{value[-2:]}" if len(value) >= 8 else "…" * bool(value)
