from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from flows.nodes import AskModel, Effect, Next, Node, NodeContext
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config import gettext_noop as _


class Intent(Node):
    """Asks what the customer wants: intent, topic and confidence. Below the threshold the answer is ``unclear``."""

    key: ClassVar[str] = "intent"
    label: ClassVar[str] = "意图分析"
    does: ClassVar[str] = _("Recognises intent, topic and confidence; below the threshold it says unclear.")

    class Config(PluginConfig):
        confidence_threshold: float = Field(default=0.5, ge=0, le=1, title=_("Least confidence"))
        history_lines: int = Field(default=4, ge=0, le=20, title=_("Earlier lines shown to the model"))
        timeout_s: float = Field(default=10, gt=0, le=60, title=_("Time limit (s)"))

    def run(self, ctx: NodeContext) -> Next | Effect:
        words = ctx.data.words
        if not words:
            return _recognised(ctx, "unclear", None, 0.0, "the line has no text that could be read")
        history = ctx.history[-self.config.history_lines :] if self.config.history_lines else ()
        return AskModel(
            task="intent",
            text=words,
            persona_id=ctx.data.persona_id,
            history=tuple((line.role, line.text) for line in history),
            threshold=self.config.confidence_threshold,
            timeout_s=self.config.timeout_s,
        )

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next:
        intent, topic, confidence = outcome["intent"], outcome.get("topic"), float(outcome["confidence"])
        if confidence < self.config.confidence_threshold:
            intent, topic = "unclear", None
        return _recognised(ctx, intent, topic, confidence, outcome.get("why", ""))


def _recognised(ctx: NodeContext, intent: str, topic: str | None, confidence: float, why: str) -> Next:
    return Next(
        patch={"intent": intent, "topic": topic, "intent_confidence": confidence, "intent_why": why},
        detail={"why": why},
        events=(("intent_recognized", {"intent": intent, "topic": topic, "confidence": confidence}),),
    )
