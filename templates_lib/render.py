"""Variables of templates: ``{{userName}}``. Pure. A missing value blocks a template; it never reaches a chat."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["MissingVariablesError", "render", "variables_in"]

_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class MissingVariablesError(LookupError):
    """A template cannot be said because these values are not known."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


def variables_in(text: str) -> list[str]:
    """Return the names of the variables in their order of appearance, each once."""
    return list(dict.fromkeys(_VARIABLE.findall(text)))


def render(text: str, values: Mapping[str, str]) -> str:
    """Fill the variables in; raises :class:`MissingVariablesError` when a value is absent or empty."""
    if missing := [name for name in variables_in(text) if not values.get(name)]:
        raise MissingVariablesError(missing)
    return _VARIABLE.sub(lambda found: values[found.group(1)], text)
