"""A model of the Qwen family at an endpoint of one's own choice, in OpenAI's wire format."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_noop as _

from personas.providers._dashscope_codes import DASHSCOPE_KINDS
from personas.providers._fields import Thinking, thinking_field
from personas.providers._openai_wire import OpenAIWireConfig, OpenAIWireProvider

__all__ = ["QwenProConfig", "QwenProProvider"]


class QwenProConfig(OpenAIWireConfig):
    """How the endpoint is asked."""

    thinking: Thinking = thinking_field()


class QwenProProvider(OpenAIWireProvider):
    """Qwen at Alibaba's OpenAI-compatible endpoint, a dedicated one, or one of your own."""

    key = "qwen_pro"
    label = _("Qwen Pro (own endpoint and model)")
    Config = QwenProConfig
    default_endpoint = "https://dashscope.aliyuncs.com/compatible-mode/v1"
    error_kinds = DASHSCOPE_KINDS

    def _extra(self) -> dict[str, Any]:
        return {"enable_thinking": False} if self.config.thinking == "off" else {}
