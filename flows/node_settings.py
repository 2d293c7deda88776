"""What a node has beside its plugin's Config: its name, and what happens when it fails. Yields a form like a Config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from flows.context import CAMEL, FIELDS, IMMUTABLE, StandardContext
from flows.policies import MAX_RETRIES, MAX_RETRY_WAIT_S
from worktool_ai.lib.config import PluginConfig

__all__ = ["DEFAULT_FIELDS", "NodeSettings", "default_field_choices"]

#: Fields that can be set by a text: lists and maps are left to nodes.
DEFAULT_FIELDS: tuple[str, ...] = tuple(
    name
    for name in FIELDS
    if name not in IMMUTABLE and not isinstance(StandardContext.model_fields[name].default, dict | tuple)
)

#: Fields of this form that stand in the graph document as they are; one that is missing there has its default here.
OWN_FIELDS = ("on_error", "timeout_s", "retries", "retry_wait_s", "deadline_s")


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
    timeout_s: float = Field(
        default=0,
        ge=0,
        le=3600,
        title=gettext_noop("Time limit of an attempt (s)"),
        description=gettext_noop(
            "For what the node asks for: a model, a call, a result. 0: the node's own limit alone."
        ),
    )
    retries: int = Field(
        default=0,
        ge=0,
        le=MAX_RETRIES,
        title=gettext_noop("Tries again"),
        description=gettext_noop(
            "How often a failed attempt is repeated. What was sent, or may have been, is never repeated."
        ),
    )
    retry_wait_s: float = Field(
        default=1,
        ge=0,
        le=MAX_RETRY_WAIT_S,
        title=gettext_noop("First pause (s)"),
        description=gettext_noop("Doubles with each attempt. The person's next line does not wait for a long pause."),
    )
    deadline_s: float = Field(
        default=0,
        ge=0,
        le=86400,
        title=gettext_noop("Deadline of the node (s)"),
        description=gettext_noop("With all attempts and pauses; none is begun after it. 0: none."),
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
        own = {name: node[name] for name in OWN_FIELDS if name in node}
        return {"name": node.get("name", ""), **own, "defaults": shown}

    def changes(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that stand in the graph document under the same name; none that only say its default."""
        own = {name: getattr(self, name) for name in OWN_FIELDS}
        told = {name: value for name, value in own.items() if name in node or value != _default_of(name)}
        return {"name": self.name, **told}

    def default(self) -> dict[str, Any]:
        """Return the default values by field, each in its own type."""
        return {row.field: row.typed() for row in self.defaults}


def _default_of(name: str) -> Any:
    return NodeSettings.model_fields[name].default
