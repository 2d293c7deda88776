"""What people decide about breakers: hold one open or closed, or give it back to its own judgement."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Literal

from django.db import transaction
from django.http import HttpRequest

from personas import caches
from personas.models import AIModel, BreakerHold, Capability
from personas.resilience import status
from personas.resilience.gates import gates
from personas.resilience.shared import StoreError, redis_gates
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import ApiKey, User
from worktool_ai.lib import clock

__all__ = ["hold_breaker", "release_breaker"]

Actor = User | ApiKey | str


def hold_breaker(
    model: AIModel,
    capability: str,
    state: Literal["open", "closed"],
    why: str,
    actor: Actor,
    request: HttpRequest | None = None,
) -> BreakerHold:
    """Hold a model's breaker, of all its capabilities where none is named; every process follows within 2 s."""
    with transaction.atomic():
        hold, _created = BreakerHold.objects.update_or_create(
            model=model,
            capability=capability,
            defaults={"state": state, "why": why, "set_by": audit.actor_name(actor), "set_at": clock.now()},
        )
        after = {"capability": capability, "state": state, "why": why}
        audit.record(actor, "breaker.hold", model, {}, after, request)
        transaction.on_commit(partial(_begin_anew, model, capability))
    return hold


def release_breaker(model: AIModel, capability: str, actor: Actor, request: HttpRequest | None = None) -> int:
    """Let a breaker judge by itself again, from closed on; without a capability all of them. Returns how many were
    held.
    """
    with transaction.atomic():
        held = BreakerHold.objects.filter(model=model)
        if capability:
            held = held.filter(capability=capability)
        before = {hold.capability or "*": hold.state for hold in held}
        held.delete()
        audit.record(actor, "breaker.release", model, before, {"capability": capability}, request)
        transaction.on_commit(partial(_begin_anew, model, capability))
    return len(before)


def _begin_anew(model: AIModel, capability: str) -> None:
    # Away: what it holds is as old as its absence soon enough.
    with suppress(*StoreError):
        redis_gates().reset(model.pk, [capability] if capability else Capability.values)
    gates.forget()
    caches.clear()
    status.forget()
