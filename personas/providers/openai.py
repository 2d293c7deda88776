"""OpenAI's own models, through the ``openai`` SDK."""

from __future__ import annotations

from typing import Any, Literal

from django.utils.translation import gettext_noop as _
from pydantic import Field

from personas.providers._fields import MaxTokensField, Structured, max_tokens_field, structured_field
from personas.providers._openai_wire import OpenAIWireConfig, OpenAIWireProvider

__all__ = ["OpenAIConfig", "OpenAIProvider"]


class OpenAIConfig(OpenAIWireConfig):
    """How OpenAI is asked."""

    structured: Structured = structured_field("json_schema")
    max_tokens_field: MaxTokensField = max_tokens_field("max_completion_tokens")
    reasoning_effort: Literal["default", "none", "minimal", "low", "medium", "high"] = Field(
        default="default",
        title=_("Reasoning effort"),
        description=_("Less effort answers sooner. Older models know none and want «default»."),
    )


class OpenAIProvider(OpenAIWireProvider):
    """OpenAI at its own endpoint."""

    key = "openai"
    label = _("OpenAI")
    Config = OpenAIConfig
    default_endpoint = "https://api.openai.com/v1"

    def _extra(self) -> dict[str, Any]:
        effort = self.config.reasoning_effort
        return {} if effort == "default" else {"reasoning_effort": effort}
