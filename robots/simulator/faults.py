"""The faults that are set, and which of them strike now."""

from __future__ import annotations

import random
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .fault_kinds import KINDS, Plan, Stage

OFFLINE = "offline"


class Fault(BaseModel):
    """One fault of ``/sim/faults``. Without ``robotId``, ``room`` or ``match`` it strikes everywhere; ``count``
    limits how often.

    ``match`` is a part of the text that is said or sent: with it a failure run decides beforehand which line is hit.
    ``seconds`` is how long it holds, delays or (offline) stands; ``value`` is the HTTP status of
    ``http_status`` and the errorCode of ``partial``.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: str
    robotId: str | None = None
    room: str | None = None
    match: str | None = Field(default=None, min_length=1, max_length=200)
    probability: float = Field(default=1.0, ge=0, le=1)
    count: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, ge=0, le=86_400)
    value: int | None = Field(default=None, ge=1, le=999_999)

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"unknown kind; one of {', '.join(sorted(KINDS))}")
        return kind


class Faults(BaseModel):
    """The body of ``POST /sim/faults``: replaces all."""

    model_config = ConfigDict(extra="forbid", strict=True)

    faults: list[Fault] = Field(max_length=200)


@dataclass(slots=True)
class _Standing:
    fault: Fault
    since: float
    left: int | None

    def matches(self, robot_id: str, rooms: Collection[str], text: str = "") -> bool:
        fault = self.fault
        is_there = fault.robotId in (None, robot_id) and (fault.room is None or fault.room in rooms)
        return is_there and (fault.match is None or fault.match in text)

    def strikes(self) -> bool:
        if self.left == 0 or random.random() >= self.fault.probability:
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def is_over(self) -> bool:
        expired = self.fault.kind == OFFLINE and self.fault.seconds is not None
        return self.left == 0 or (expired and time.monotonic() > self.since + (self.fault.seconds or 0))


class FaultBoard:
    """Holds the faults and hands out plans."""

    def __init__(self) -> None:
        self._standing: list[_Standing] = []

    def replace(self, faults: list[Fault]) -> None:
        now = time.monotonic()
        self._standing = [_Standing(fault, now, fault.count) for fault in faults]

    def as_json(self) -> dict[str, Any]:
        """Return the faults that can still strike, ``count`` being how often."""
        standing = [item for item in self._standing if not item.is_over()]
        rows = [item.fault.model_copy(update={"count": item.left}) for item in standing]
        return {"faults": [row.model_dump(exclude_none=True) for row in rows]}

    def plan(self, *stages: Stage, robot_id: str, rooms: Collection[str] = (), text: str = "") -> Plan:
        """Decide what goes wrong at these stages with ``text``; each fault that strikes is counted."""
        plan = Plan()
        for item in self._standing:
            kind = KINDS[item.fault.kind]
            if kind.stage in stages and item.matches(robot_id, rooms, text) and item.strikes():
                seconds = kind.seconds if item.fault.seconds is None else item.fault.seconds
                kind.strike(plan, seconds, item.fault.value or kind.value)
        return plan

    def is_offline(self, robot_id: str) -> bool:
        """Tell whether the robot's phone is off line; asking counts nothing."""
        return any(
            item.fault.kind == OFFLINE and item.matches(robot_id, ()) and not item.is_over() for item in self._standing
        )
