"""The full prompt of a stored AI call, put together again from its prompt version and its own parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from personas import caches
from personas.models import AICall
from personas.prompts import IntentParts, ReplyParts, Voice, digest, intent_messages, reply_messages
from personas.types import ChatMessage

__all__ = ["Rebuilt", "rebuilt_prompt"]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """``is_exact``: what was sent, to the letter. False where our rules or the intents have changed since then."""

    messages: tuple[ChatMessage, ...]
    is_exact: bool


def rebuilt_prompt(call: AICall) -> Rebuilt | None:
    """Return what the model was told; None for a call that told it nothing (the local model's)."""
    request = call.request
    if "messages" in request:
        return Rebuilt(tuple(ChatMessage(m["role"], m["content"]) for m in request["messages"]), is_exact=True)
    if "parts" not in request:
        return None
    messages = _messages(call, request)
    return Rebuilt(messages, is_exact=digest(messages) == request.get("digest")) if messages else None


def _messages(call: AICall, request: Mapping[str, Any]) -> tuple[ChatMessage, ...] | None:
    if call.task == "intent":
        return intent_messages(IntentParts.from_kept(request["parts"]), caches.cast())
    voice = _voice(call, request)
    return reply_messages(voice, ReplyParts.from_kept(request["parts"])) if voice else None


def _voice(call: AICall, request: Mapping[str, Any]) -> Voice | None:
    if "voice" in request:
        return Voice(**request["voice"])
    version = call.prompt_version
    return Voice(version.system_prompt, version.canary) if version else None
