"""Who answers for a persona at this moment, and why it is not its own model: one sentence for lists and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from personas import caches
from personas.resilience import status
from personas.resilience.hops import Hop, HopReason
from personas.resilience.status import ModelStatus
from personas.selection import ModelSnapshot
from personas.types import CallKind

__all__ = ["REASONS", "Voice", "hop_text", "voice_of"]

REASONS: dict[HopReason, Any] = {
    "no_model": _("no model is chosen"),
    "inactive": _("the model is switched off"),
    "unknown_provider": _("the model's provider is not installed"),
    "not_capable": _("the model lacks the capability"),
    "no_key": _("the model has no API key"),
    "no_endpoint": _("the model has no endpoint"),
    "breaker_open": _("its breaker is open: too many calls failed"),
    "held_open": _("a person holds its breaker open"),
    "limit": _("its limit per minute is used up"),
    "paused": _("its vendor asked to be left alone"),
    "budget": _("its budget is spent"),
    "no_time": _("no time was left for it"),
    "attempts_used": _("all attempts had been used"),
}


@dataclass(frozen=True, slots=True)
class Voice:
    """``model`` is the vendor's model that is asked next, None for the local one; ``passed`` those before it.

    ``chosen`` is the name of a local model that the persona has on purpose.
    """

    model: ModelSnapshot | None
    passed: tuple[Hop, ...] = ()
    chosen: str = ""

    def __str__(self) -> str:
        why = "；".join(hop_text(hop) for hop in self.passed)
        if self.model is None and self.chosen and not why:
            return self.chosen
        if self.model is None:
            return str(_("Answering locally: %(reason)s") % {"reason": why or REASONS["no_model"]})
        if why:
            return str(_("Answered by %(model)s: %(reason)s") % {"model": self.model.name, "reason": why})
        return self.model.name


def hop_text(hop: Hop) -> str:
    """Say which model was passed over and why."""
    text = f"{hop.model}：{REASONS.get(hop.reason, hop.reason)}"
    return f"{text}（{hop.detail}）" if hop.detail else text


def voice_of(persona_id: UUID, kind: CallKind = "reply") -> Voice:
    """Tell who would be asked now in the voice of the persona with this id; Redis away, by what is configured."""
    cast = caches.cast()
    persona = cast.persona(persona_id)
    line_up, own = cast.line_up(persona, kind), cast.model_of(persona)
    known, passed = status.current(), line_up.passed
    for model in line_up.models:
        reason = _why_passed(model, known.get(model.id), line_up.capability)
        if reason is None:
            return Voice(model, passed)
        passed = (*passed, Hop(model.name, reason))
    return Voice(None, passed, own.name if own else "")


def _why_passed(model: ModelSnapshot, found: ModelStatus | None, capability: str) -> HopReason | None:
    if model.held(capability) == "open":
        return "held_open"
    if found is None:
        return None
    if found.breaker(capability).refuses:
        return "breaker_open"
    if found.paused_s > 0:
        return "paused"
    return "limit" if model.request_limit and found.requests >= model.request_limit else None
