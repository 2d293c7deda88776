"""What prompts are built of, besides the line itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from personas.types import ChatMessage

__all__ = ["Mend", "Voice", "digest", "mended"]

#: Characters of a bad answer that a model is shown again.
BAD_ANSWER_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Voice:
    """The fixed part of a persona's prompts. An answer that holds the ``canary`` has leaked them."""

    system_prompt: str
    canary: str = ""


@dataclass(frozen=True, slots=True)
class Mend:
    """An answer that could not be used, and the request to the model to do better."""

    answer: str
    request: str


def mended(asked: Sequence[ChatMessage], mend: Mend | None) -> tuple[ChatMessage, ...]:
    """Show a model its own bad answer once, with what is wrong with it."""
    if mend is None:
        return tuple(asked)
    shown = mend.answer[:BAD_ANSWER_CHARS] or "（空）"
    return (*asked, ChatMessage("assistant", shown), ChatMessage("user", mend.request))


def digest(messages: Sequence[ChatMessage]) -> str:
    """Return a short fingerprint of messages: equal prompts have equal ones."""
    state = hashlib.blake2b(digest_size=8)
    for message in messages:
        state.update(f"{message.role}\x00{message.content}\x00".encode("utf-8", "replace"))
    return state.hexdigest()
