"""How many tokens a text takes, without any vendor's tokenizer.

An estimate that leans to the high side, because a bound that is passed costs more than a line that is left out: one
token per Chinese character (vendors' own counts run from 0.6 to 1.3), per digit and per punctuation mark, one per
three Latin letters, three for an emoji, and four around each message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from personas.types import ChatMessage

__all__ = ["estimate_messages", "estimate_tokens"]

PER_MESSAGE = 4

_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_RARE = re.compile(r"[\U00010000-\U0010ffff]")


def estimate_tokens(text: str) -> int:
    words = _LATIN.findall(text)
    letters = sum(map(len, words))
    spaces = text.count(" ")
    rare = len(_RARE.findall(text))
    return sum(-(-len(word) // 3) for word in words) + len(text) - letters - spaces + 2 * rare


def estimate_messages(messages: Iterable[ChatMessage]) -> int:
    return sum(estimate_tokens(message.content) + PER_MESSAGE for message in messages)
