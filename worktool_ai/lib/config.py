"""Typed configuration of plugins.

A plugin's ``Config`` is a pydantic model. It is stored in one JSON column, validated when saved, and yields
both the admin form and the editor's panel (see ``config_forms``). ``config_version`` says which shape a
stored document has; ``upgrade`` brings an older one up to date when it is read, so a change of shape needs no
migration.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

__all__ = ["SECRET", "PluginConfig", "is_secret"]

#: Mark a field as secret: ``api_key: str = Field(default="", json_schema_extra=SECRET)``. It is encrypted at
#: rest, write-only in forms and masked everywhere else.
SECRET: dict[str, Any] = {"secret": True}


def is_secret(config: type[BaseModel], field: str) -> bool:
    """Tell whether a Config field was marked with :data:`SECRET`."""
    extra = config.model_fields[field].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get("secret"))


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
    def load(cls, stored: dict[str, Any]) -> Self:
        """Validate a stored document, upgrading it first; raises ``pydantic.ValidationError``."""
        document = dict(stored)
        from_version = int(document.pop("config_version", cls.version))
        if from_version < cls.version:
            document = cls.upgrade(document, from_version)
        return cls.model_validate(document)

    def dump(self) -> dict[str, Any]:
        """Return the JSON document to store, stamped with its version."""
        return {"config_version": self.version, **self.model_dump(mode="json")}

    @classmethod
    def example(cls) -> Self:
        """Return a valid instance for documentation, forms and the contract suite."""
        return cls()
