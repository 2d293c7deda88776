from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Code", "Problem"]

Code = Literal[
    "empty", "unresolved", "too_long", "forbidden", "leak", "language", "role", "claim", "promise", "unchecked"
]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an answer must not be sent: a short name, and a Chinese sentence for operators and for the model."""

    code: Code
    sentence: str

    def __str__(self) -> str:
        return self.sentence
