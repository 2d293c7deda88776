"""What a node has beside its plugin's Config: its name, and what happens when it fails. Yields a form like a Config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from flows.context import CAMEL, FIELDS, IMMUTABLE, StandardContext
from worktool_ai.lib.config import PluginConfig

__all__ = ["DEFAULT_FIELDS", "NodeSettings", "default_field_choices"]

#: Fields that can be set by a text: lists and maps are left to nodes.
DEFAULT_FIELDS: tuple[str, ...] = tuple(
    name
    for name in FIELDS
    if name not in IMMUTABLE and not isinstance(StandardContext.model_fields[name].default, dict | tuple)
)


def default_field_choices() -> list[tuple[str, str]]:
    """Return the fields that can have a default value, under the names that conditions use."""
    return [(name, CAMEL[name]) for name in DEFAULT_FIELDS]


class DefaultValue(BaseModel):
    """One field of the context, set in place of the node's result."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    field: str = Field(title=gettext_noop("Field"), json_schema_extra={"choices": "flows.default_fields"})
    value: str = Field(default="", max_length=2000, title=gettext_noop("Value"))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.field not in DEFAULT_FIELDS:
            raise ValueError(_("This field cannot have a default value."))
        self.typed()
        return self

    def typed(self) -> Any:
        """Return the value in the field's own type; raises ``ValueError``."""
        kind: Any = StandardContext.model_fields[self.field].annotation
        try:
            return TypeAdapter(kind).validate_python(self.value)
        except ValidationError:
            raise ValueError(_("«%(value)s» does not fit this field.") % {"value": self.value}) from None


class NodeSettings(PluginConfig):
    """A node's own part of the graph document."""

    name: str = Field(default="", max_length=60, title=gettext_noop("Name"))
    on_error: Literal["port", "default", "stop"] = Field(
        default="port",
        title=gettext_noop("When it fails"),
        json_schema_extra={
            "labels": {
                "port": gettext_noop("take its way out «error»; stop where that leads nowhere"),
                "default": gettext_noop("go on with default values"),
                "stop": gettext_noop("stop the run"),
            }
        },
    )
    defaults: tuple[DefaultValue, ...] = Field(
        default=(),
        title=gettext_noop("Default values"),
        description=gettext_noop("Set in place of the result when the node fails and the run goes on."),
    )

    @classmethod
    def stored(cls, node: Mapping[str, Any]) -> dict[str, Any]:
        """Return a node of the graph document as this form's document."""
        shown = [
            {"field": name, "value": str(value)}
            for name, value in node.get("default", {}).items()
            if name in DEFAULT_FIELDS
        ]
        return {"name": node.get("name", ""), "on_error": node.get("on_error", "port"), "defaults": shown}

    def default(self) -> dict[str, Any]:
        """Return the default values by field, each in its own type."""
        return {row.field: row.typed() for row in self.defaults}
