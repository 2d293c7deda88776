"""Filling ``{{variables}}`` of a template: plain text in, plain text out, nothing is ever evaluated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

__all__ = ["MissingVariables", "missing", "render", "variables_of"]

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}", re.ASCII)
# Control and invisible direction characters can hide or reorder what a customer reads; a line break may stay.
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class MissingVariables(ValueError):
    """A template was not rendered because values are missing; ``names`` tells which."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(f"no value for {', '.join(names)}")
        self.names = names


@lru_cache(maxsize=4096)
def variables_of(body: str) -> tuple[str, ...]:
    """Return the names used in a body, each once, in the order of their first use."""
    return tuple(dict.fromkeys(_VARIABLE.findall(body)))


def missing(body: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names for which no text is known; a value of white space alone counts as missing."""
    return tuple(name for name in variables_of(body) if not _clean(values.get(name, "")).strip())


def render(body: str, values: Mapping[str, str]) -> str:
    """Return the body with its variables replaced.

    A value is inserted once and as it is: braces in a customer's name are not looked at again. Raises
    :class:`MissingVariables` rather than let ``{{x}}`` reach a customer.
    """
    if names := missing(body, values):
        raise MissingVariables(names)
    return _VARIABLE.sub(lambda found: _clean(values[found.group(1)]), body)


def _clean(value: str) -> str:
    return _UNPRINTABLE.sub("", str(value))
