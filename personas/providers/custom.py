"""Any model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext_noop as _

from personas.providers._openai_wire import OPENAI_KINDS, OpenAIWireConfig, OpenAIWireProvider

__all__ = ["CustomConfig", "CustomProvider"]


class CustomConfig(OpenAIWireConfig):
    """How to talk to the endpoint."""

    version: ClassVar[int] = 2

    @classmethod
    def upgrade(cls, stored: dict[str, Any], from_version: int) -> dict[str, Any]:
        """Before 2 there was only a switch for ``json_object``."""
        knows_json = stored.pop("json_mode", True)
        return {**stored, "structured": "json_object" if knows_json else "text"}


class CustomProvider(OpenAIWireProvider):
    """An OpenAI-compatible endpoint: another vendor, a gateway, or a model of your own."""

    key = "custom"
    label = _("Custom (OpenAI-compatible)")
    Config = CustomConfig
    needs_key = False
    needs_endpoint = True
    # gateways hand their vendors' codes on
    error_kinds = {**OPENAI_KINDS, "data_inspection_failed": "content_policy"}
