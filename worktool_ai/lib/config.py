"""Typed configuration of plugins.

A plugin's ``Config`` is a pydantic model. It is stored in one JSON column, validated when saved, and yields
both the admin form and the editor's panel (see ``config_forms``). ``config_version`` says which shape a
stored document has; ``upgrade`` brings an older one up to date when it is read, so a change of shape needs no
migration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self, get_args

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from pydantic import BaseModel, ConfigDict
from pydantic_core import ErrorDetails

#: ``gettext_noop`` is handed on for nodes, which may not import Django; their texts are translated where they are shown
__all__ = ["SECRET", "PluginConfig", "gettext_noop", "is_secret", "models_in", "problem_text", "secret_fields"]

#: Mark a field as secret: ``api_key: str = Field(default="", json_schema_extra=SECRET)``. It is encrypted at
#: rest, write-only in forms and masked everywhere else.
SECRET: dict[str, Any] = {"secret": True}


def secret_fields(config: type[BaseModel], place: str = "") -> Iterator[str]:
    """Yield the path of every secret field of a Config, those of nested models too (``rules.token``)."""
    for name, field in config.model_fields.items():
        path = f"{place}.{name}" if place else name
        if is_secret(config, name):
            yield path
        else:
            for model in models_in(field.annotation):
                yield from secret_fields(model, path)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models inside ``list[X]``, ``dict[str, X]``, ``X | None`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def is_secret(config: type[BaseModel], field: str) -> bool:
    """Tell whether a Config field was marked with :data:`SECRET`."""
    extra = config.model_fields[field].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("secret"))


#: pydantic's problems in words that are translated; the names in braces come from the problem's context.
_PROBLEMS = {
    "missing": gettext_noop("This value is missing."),
    "extra_forbidden": gettext_noop("There is no such field."),
    "string_type": gettext_noop("This must be a text."),
    "string_too_short": gettext_noop("At least {min_length} characters are needed."),
    "string_too_long": gettext_noop("At most {max_length} characters are possible."),
    "string_pattern_mismatch": gettext_noop("This does not have the needed form ({pattern})."),
    "int_parsing": gettext_noop("This must be a whole number."),
    "int_type": gettext_noop("This must be a whole number."),
    "float_parsing": gettext_noop("This must be a number."),
    "float_type": gettext_noop("This must be a number."),
    "bool_parsing": gettext_noop("This must be yes or no."),
    "greater_than": gettext_noop("This must be more than {gt}."),
    "greater_than_equal": gettext_noop("This must be {ge} or more."),
    "less_than": gettext_noop("This must be less than {lt}."),
    "less_than_equal": gettext_noop("This must be {le} or less."),
    "literal_error": gettext_noop("This must be one of {expected}."),
    "enum": gettext_noop("This must be one of {expected}."),
    "list_type": gettext_noop("This must be a list."),
    "dict_type": gettext_noop("This must be a map."),
    "too_short": gettext_noop("At least {min_length} entries are needed."),
    "too_long": gettext_noop("At most {max_length} entries are possible."),
}


def problem_text(problem: ErrorDetails) -> str:
    """Return one problem of a ``pydantic.ValidationError`` as a translated sentence."""
    context = problem.get("ctx", {})
    if problem["type"] == "value_error":
        return str(context.get("error", problem["msg"]))
    known = _PROBLEMS.get(problem["type"])
    return _(known).format(**context) if known else problem["msg"]


class PluginConfig(BaseModel):
    """Base of every plugin's ``Config``; unknown fields are refused, so a typing error is seen at once."""

    # Inputs are hidden in errors because a refused document may hold a secret, and errors are logged.
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)

    version: ClassVar[int] = 1

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, "…" if value and name is not None and is_secret(type(self), name) else value

    @classmethod
    def upgrade(cls, stored: dict[str, Any], from_version: int) -> dict[str, Any]:
        """Turn a document of an older shape into today's. The default keeps it as it is."""
        return stored

    @classmethod
    def upgraded(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return a stored document in today's shape, without its version and not yet validated."""
        document = dict(stored)
        from_version = int(document.pop("config_version", cls.version))
        return cls.upgrade(document, from_version) if from_version < cls.version else document

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Self:
        """Validate a stored document, upgrading it first; raises ``pydantic.ValidationError``."""
        return cls.model_validate(cls.upgraded(stored))

    def dump(self) -> dict[str, Any]:
        """Return the JSON document to store, stamped with its version."""
        return {"config_version": self.version, **self.model_dump(mode="json")}

    @classmethod
    def example(cls) -> Self:
        """Return a valid instance for documentation, forms and the contract suite."""
        return cls()
