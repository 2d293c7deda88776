"""Doubao by Volcengine Ark, which speaks OpenAI's wire format."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_noop as _

from personas.providers._fields import Structured, Thinking, structured_field, thinking_field
from personas.providers._openai_wire import OPENAI_KINDS, OpenAIWireConfig, OpenAIWireProvider

__all__ = ["DoubaoConfig", "DoubaoProvider"]


class DoubaoConfig(OpenAIWireConfig):
    """How Ark is asked."""

    # Ark's models differ in what they know, and the prompt asks for JSON anyway.
    structured: Structured = structured_field("text")
    thinking: Thinking = thinking_field()


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
