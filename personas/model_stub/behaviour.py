"""What one request asks the stub to do beside answering: be slow, fail, or say something given."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Purpose = Literal["intent", "reply", "picture"]

#: ``[[sleep=2]]`` for every call about this text, ``[[intent.sleep=2]]`` or ``[[reply.sleep=2]]`` for one
#: of them.
MARKER: Final = re.compile(r"\[\[(?:(intent|reply|picture)\.)?(\w+)=([^\]]*)\]\]")


MAX_WAIT_S: Final = 3600


@dataclass(slots=True)
class Behaviour:
    """``sleep_s`` before an answer; ``hang_s`` without any; ``status`` in place of one; ``text`` as the
    answer.
    """

    sleep_s: float = 0.0
    hang_s: float = 0.0
    status: int = 0
    text: str | None = None


def _seconds(value: str) -> float:
    seconds = float(value)
    if not 0 <= seconds <= MAX_WAIT_S:
        raise ValueError(f"seconds must be between 0 and {MAX_WAIT_S}")
    return seconds


def _sleep(behaviour: Behaviour, value: str) -> None:
    behaviour.sleep_s = _seconds(value)


def _hang(behaviour: Behaviour, value: str) -> None:
    behaviour.hang_s = _seconds(value)


def _status(behaviour: Behaviour, value: str) -> None:
    status = int(value)
    if not 400 <= status <= 599:
        raise ValueError("status must be between 400 and 599")
    behaviour.status = status


def _text(behaviour: Behaviour, value: str) -> None:
    behaviour.text = value


KINDS: Final[dict[str, Callable[[Behaviour, str], None]]] = {
    "sleep": _sleep,
    "hang": _hang,
    "status": _status,
    "text": _text,
}


class Fault(BaseModel):
    """One fault of ``/stub/faults``; strikes calls whose customer text holds ``match``, ``count`` times at
    most.

    ``value`` is seconds (sleep, hang), an HTTP status (status) or the whole answer (text).
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: str
    value: float | str
    match: str = ""
    purpose: Purpose | None = None
    probability: float = Field(default=1.0, ge=0, le=1)
    count: int | None = Field(default=None, ge=1)

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"unknown kind; one of {', '.join(KINDS)}")
        return kind

    @model_validator(mode="after")
    def _value_fits(self) -> Self:
        KINDS[self.kind](Behaviour(), self.plain_value)
        return self

    @property
    def plain_value(self) -> str:
        return f"{self.value:g}" if isinstance(self.value, float) else self.value


class Faults(BaseModel):
    """The body of ``PUT /stub/faults``: replaces all."""

    model_config = ConfigDict(extra="forbid", strict=True)

    faults: list[Fault] = Field(max_length=100)


class FaultBoard:
    """The faults that are set."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def replace(self, faults: list[Fault]) -> None:
        self._faults = faults

    def as_json(self) -> dict[str, Any]:
        return {"faults": [fault.model_dump(exclude_none=True) for fault in self._faults]}

    def struck(self, text: str, purpose: Purpose) -> list[tuple[str, str]]:
        """Return kind and value of every fault that strikes this call, and count it."""
        striking = [
            fault
            for fault in self._faults
            if fault.match in text and fault.purpose in (None, purpose) and random.random() < fault.probability
        ]
        for fault in striking:
            if fault.count is not None:
                fault.count -= 1
        self._faults = [fault for fault in self._faults if fault.count != 0]
        return [(fault.kind, fault.plain_value) for fault in striking]


def in_text(text: str, purpose: Purpose) -> list[tuple[str, str]]:
    """Return the markers of a text that hold for this kind of call."""
    return [(kind, value) for only, kind, value in MARKER.findall(text) if only in ("", purpose)]


def in_model_name(model: str) -> list[tuple[str, str]]:
    """Return what a model name such as ``stub?sleep=2&status=500`` asks for."""
    return parse_qsl(model.partition("?")[2])


def behave(orders: Iterable[tuple[str, str]]) -> Behaviour:
    """Fold orders into one behaviour, later ones winning; unknown ones are ignored, as people write
    anything.
    """
    behaviour = Behaviour()
    for kind, value in orders:
        apply = KINDS.get(kind)
        if apply is not None:
            apply(behaviour, value)
    return behaviour
