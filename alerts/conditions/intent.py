"""The line was recognised as one of some intents or topics."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _
from pydantic import Field, model_validator

from alerts.conditions import Condition, Facts, Verdict
from worktool_ai.lib.config import PluginConfig

__all__ = ["IntentCondition"]


class IntentConfig(PluginConfig):
    """Which intents or topics count, and from which confidence on."""

    intents: tuple[str, ...] = Field(
        default=(), max_length=50, title=_("Intents"), json_schema_extra={"choices": "personas.intents"}
    )
    topics: tuple[str, ...] = Field(
        default=(), max_length=50, title=_("Topics"), json_schema_extra={"choices": "templates_lib.topics"}
    )
    min_confidence: float = Field(default=0.0, ge=0, le=1, title=_("Least confidence"))

    @model_validator(mode="after")
    def _wants_something(self) -> IntentConfig:
        if not self.intents and not self.topics:
            raise ValueError("name at least one intent or topic")
        return self

    @classmethod
    def example(cls) -> IntentConfig:
        return cls(intents=("risk",))


class IntentCondition(Condition):
    """Holds when the line's intent or its topic is among those named."""

    key = "intent"
    label = _("Intent or topic")
    Config = IntentConfig

    def check(self, facts: Facts) -> Verdict:
        config: IntentConfig = self.config
        intent, topic = facts.get("intent") or "", facts.get("topic") or ""
        confidence = float(facts.get("intentConfidence") or 0.0)
        named = intent in config.intents or topic in config.topics
        wanted = " / ".join((*config.intents, *config.topics))
        if config.min_confidence:
            wanted += f" ≥ {config.min_confidence:g}"
        actual = f"{intent or '-'} · {topic or '-'} · {confidence:g}"
        return Verdict(named and confidence >= config.min_confidence, wanted, actual)
