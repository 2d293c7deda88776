"""Why a model was passed over on the way to an answer. Pure; stored with the call that followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Hop", "HopReason", "PassedOver"]

HopReason = Literal[
    "no_model",
    "inactive",
    "unknown_provider",
    "not_capable",
    "no_key",
    "no_endpoint",
    "breaker_open",
    "held_open",
    "limit",
    "paused",
    "budget",
    "no_time",
    "attempts_used",
]


@dataclass(frozen=True, slots=True)
class Hop:
    """A model (by its name) that was not asked, and why. ``wait_s``: it may be asked again after so many seconds."""

    model: str
    reason: HopReason
    detail: str = ""
    wait_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"model": self.model, "reason": self.reason}
        if self.detail:
            told["detail"] = self.detail
        if self.wait_s:
            told["wait_s"] = round(self.wait_s, 1)
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Hop:
        """Read what :meth:`to_json` wrote."""
        return cls(told["model"], told["reason"], told.get("detail", ""), told.get("wait_s", 0.0))


class PassedOver(Exception):
    """This model is not asked now: the next of the chain is. Not an error of anybody."""

    def __init__(self, hop: Hop) -> None:
        super().__init__(f"{hop.model}: {hop.reason}")
        self.hop = hop
