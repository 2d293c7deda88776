"""Settings that several providers have, each with its own default."""

from __future__ import annotations

from typing import Any, Literal

from django.utils.translation import gettext_noop as _
from pydantic import Field

__all__ = ["MaxTokensField", "Structured", "Thinking", "max_tokens_field", "structured_field", "thinking_field"]

Structured = Literal["json_schema", "json_object", "text"]
MaxTokensField = Literal["max_tokens", "max_completion_tokens"]
Thinking = Literal["default", "off"]


def structured_field(default: Structured) -> Any:
    return Field(
        default=default,
        title=_("Structured answers"),
        description=_("How intents are asked for: by schema, as any JSON object, or by the prompt alone."),
    )


def max_tokens_field(default: MaxTokensField) -> Any:
    return Field(
        default=default,
        title=_("Name of the length limit"),
        description=_("Newer reasoning models want max_completion_tokens."),
    )


def thinking_field() -> Any:
    return Field(
        default="default",
        title=_("Thinking"),
        description=_("Without thinking a model answers sooner. Models that cannot think want «default»."),
    )
