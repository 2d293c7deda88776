"""Doubao by Volcengine Ark, which speaks OpenAI's wire format."""

from __future__ import annotations

from typing import Any, Literal

from django.utils.translation import gettext_noop as _
from pydantic import Field

from personas.providers._openai_wire import OPENAI_KINDS, OpenAIWireConfig, OpenAIWireProvider, Structured

__all__ = ["DoubaoConfig", "DoubaoProvider"]


class DoubaoConfig(OpenAIWireConfig):
    """How Ark is asked."""

    # Ark's models differ in what they know, and the prompt asks for JSON anyway.
    structured: Structured = Field(
        default="text",
        title=_("Structured answers"),
        description=_("How intents are asked for: by schema, as any JSON object, or by the prompt alone."),
    )
    thinking: Literal["default", "off"] = Field(
        default="default",
        title=_("Thinking"),
        description=_("Without thinking a model answers sooner. Models that cannot think want «default»."),
    )


class DoubaoProvider(OpenAIWireProvider):
    """Doubao models and custom inference endpoints (ep-…) of Volcengine Ark."""

    key = "doubao"
    label = _("Doubao (Volcengine Ark)")
    Config = DoubaoConfig
    default_endpoint = "https://ark.cn-beijing.volces.com/api/v3"
    # https://www.volcengine.com/docs/82379/1299023 (as of 2025-11-07)
    error_kinds = {
        **OPENAI_KINDS,
        "SensitiveContentDetected": "content_policy",
        "InputTextSensitiveContentDetected": "content_policy",
        "InputImageSensitiveContentDetected": "content_policy",
        "OutputTextSensitiveContentDetected": "content_policy",
        "AccountOverdueError": "quota",
        "QuotaExceeded": "quota",
        "RateLimitExceeded": "rate_limit",
        "ServerOverloaded": "overloaded",
    }

    def _extra(self) -> dict[str, Any]:
        return {"thinking": {"type": "disabled"}} if self.config.thinking == "off" else {}
