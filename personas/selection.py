"""Who answers: the persona of a line, and which models can do what is asked, in which order (seed §2.2).

Pure: everything is read from one :class:`Cast`, a snapshot of the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from personas.budgets.prices import Price
from personas.providers import registry
from personas.resilience.hops import Hop, HopReason
from personas.types import CallKind, PersonaSnapshot
from worktool_ai.lib.crypto import Secret

__all__ = [
    "ASSISTANT",
    "BUILT_IN",
    "Cast",
    "Fallback",
    "IntentSnapshot",
    "LineUp",
    "ModelSnapshot",
    "required_capability",
    "select_persona",
    "why_unusable",
]

ASSISTANT = "assistant"

#: The voice of last resort, for an installation whose personas were all deleted or switched off.
BUILT_IN = PersonaSnapshot(
    id=UUID(int=0),
    slug="built-in",
    name="客服助手",
    role_type=ASSISTANT,
    system_prompt="你是一名礼貌、简洁的客服助手。",
    temperature=0.7,
    max_tokens=1000,
)

_CAPABILITY: dict[CallKind, str] = {
    "intent": "intent_recognition",
    "report": "report",
    "picture": "image_analysis",
    "audio": "voice_processing",
}
_REPLY_CAPABILITY = {
    "service": "service_reply",
    "tech_support": "service_reply",
    "customer_relation": "service_reply",
    "conversion": "conversion",
}


@dataclass(frozen=True, slots=True)
class ModelSnapshot:
    """An AI model as it was when last read; the key stays sealed until a call needs it."""

    id: UUID
    name: str
    provider: str
    model_id: str
    capabilities: frozenset[str]
    is_active: bool
    endpoint: str
    api_key: Secret = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    #: Per minute, None for none.
    request_limit: int | None = None
    token_limit: int | None = None
    #: capability ("" for all) -> how a person holds the breaker
    holds: Mapping[str, str] = field(default_factory=dict)
    #: None while nobody has entered it: what a call costs is unknown then.
    price: Price | None = None

    def held(self, capability: str) -> str:
        """Return ``open`` or ``closed`` where a person holds the breaker so, else nothing."""
        return self.holds.get(capability) or self.holds.get("", "")


@dataclass(frozen=True, slots=True)
class Fallback:
    """A model to ask next; ``capability`` is empty for all."""

    model_id: UUID
    capability: str = ""


@dataclass(frozen=True, slots=True)
class LineUp:
    """The vendors' models to ask for one thing, in order, and those that cannot be asked, with the reason.

    After the last of them the local model answers.
    """

    capability: str
    models: tuple[ModelSnapshot, ...] = ()
    passed: tuple[Hop, ...] = ()


@dataclass(frozen=True, slots=True)
class IntentSnapshot:
    key: str
    name: str
    description: str
    needs_human: bool


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody who may speak, and what may be meant: personas, models, mappings, intents and topics."""

    personas: Mapping[UUID, PersonaSnapshot] = field(default_factory=dict)
    models: Mapping[UUID, ModelSnapshot] = field(default_factory=dict)
    #: robot group or type -> persona type
    mappings: Mapping[str, str] = field(default_factory=dict)
    #: persona -> what is asked after its own model, in order
    fallbacks: Mapping[UUID, tuple[Fallback, ...]] = field(default_factory=dict)
    intents: Mapping[str, IntentSnapshot] = field(default_factory=dict)
    topics: tuple[str, ...] = ()

    def persona(self, persona_id: str | UUID | None, role_type: str | None = None) -> PersonaSnapshot:
        """Return the active persona with this id, else the first of this type, else the assistant."""
        found = self.personas.get(UUID(str(persona_id))) if persona_id else None
        return found or self.of_type(role_type or ASSISTANT)

    def of_type(self, role_type: str) -> PersonaSnapshot:
        for wanted in (role_type, ASSISTANT):
            for persona in self.personas.values():
                if persona.role_type == wanted:
                    return persona
        return BUILT_IN

    def model_of(self, persona: PersonaSnapshot) -> ModelSnapshot | None:
        return self.models.get(persona.model_id) if persona.model_id else None

    def line_up(self, persona: PersonaSnapshot, kind: CallKind) -> LineUp:
        """Return whom to ask for this in the persona's voice: its own model first, then its fallbacks.

        A local model among them ends the line.
        """
        capability = required_capability(kind, persona.role_type)
        chosen, passed = [], []
        for model in self._chain_of(persona, capability):
            reason = why_unusable(model, capability)
            if reason is None and not registry.get(model.provider).is_remote:
                break
            if reason:
                passed.append(Hop(model.name, reason))
            else:
                chosen.append(model)
        return LineUp(capability, tuple(chosen), tuple(passed))

    def _chain_of(self, persona: PersonaSnapshot, capability: str) -> list[ModelSnapshot]:
        named = [
            fallback.model_id
            for fallback in self.fallbacks.get(persona.id, ())
            if fallback.capability in ("", capability)
        ]
        ids = dict.fromkeys([persona.model_id, *named])
        return [self.models[pk] for pk in ids if pk is not None and pk in self.models]


def select_persona(cast: Cast, robot_persona_id: UUID | str | None, group: str, robot_type: str) -> PersonaSnapshot:
    """Pick the robot's own persona, else the one mapped to its group, then to its type, else the assistant.

    An own persona that is switched off counts as none.
    """
    role_type = cast.mappings.get(group) or cast.mappings.get(robot_type) or ASSISTANT
    return cast.persona(robot_persona_id, role_type)


def required_capability(kind: CallKind, role_type: str) -> str:
    """Return what a model must be able to do for such a call in the voice of this persona type."""
    return _CAPABILITY.get(kind) or _REPLY_CAPABILITY.get(role_type, "chat")


def why_unusable(model: ModelSnapshot | None, capability: str | None = None) -> HopReason | None:
    """Tell why this model cannot be asked, None when it can. Without a capability only the model is judged."""
    if model is None:
        return "no_model"
    if not model.is_active:
        return "inactive"
    if model.provider not in registry:
        return "unknown_provider"
    provider = registry.get(model.provider)
    if capability is not None and capability not in model.capabilities & provider.offers:
        return "not_capable"
    if provider.needs_key and not model.api_key:
        return "no_key"
    if provider.needs_endpoint and not model.endpoint:
        return "no_endpoint"
    return None
