"""Whether a line mentions the robot, where the platform does not say (``atMe`` null or missing)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

__all__ = ["mentions"]


def mentions(raw_text: str, names: Iterable[str]) -> bool:
    """Tell whether a raw text begins with ``@`` and one of these names.

    A blank (WeCom puts U+2005), a punctuation mark or the end must follow: another name may begin alike.
    """
    text = _normal(raw_text).lstrip()
    rest = text[1:] if text.startswith("@") else ""
    return any(_begins(rest, _normal(name).strip()) for name in names)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _begins(text: str, name: str) -> bool:
    if not name or not text.startswith(name):
        return False
    following = text[len(name) : len(name) + 1]
    return not following or following.isspace() or unicodedata.category(following).startswith("P")
