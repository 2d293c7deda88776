"""Conditions over the StandardContext: the variables that CEL sees, with their types."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, get_args, get_origin

from flows.context import CAMEL, StandardContext
from worktool_ai.lib import conditions

__all__ = ["compile_condition", "explain", "variables"]


@lru_cache(maxsize=1)
def variables() -> Mapping[str, conditions.CelType]:
    """Return every context field under its camelCase name with its CEL type."""
    return {CAMEL[name]: _cel_type(field.annotation) for name, field in StandardContext.model_fields.items()}


def _cel_type(annotation: Any) -> conditions.CelType:
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) is tuple:
        return conditions.CelType.STRING_LIST
    if get_origin(annotation) is dict:
        return conditions.CelType.MAP
    if arguments:
        return _cel_type(arguments[0])
    by_type = {
        str: conditions.CelType.STRING,
        bool: conditions.CelType.BOOL,
        int: conditions.CelType.INT,
        float: conditions.CelType.DOUBLE,
    }
    return by_type[annotation]


def compile_condition(text: str) -> conditions.Condition:
    """Compile and type-check; raises ``conditions.ConditionError`` naming place and way out."""
    return conditions.compile(text, variables())


def explain(text: str, data: StandardContext) -> conditions.Verdict:
    """Judge a condition over the context: matched, wanted and actual. Raises ``ConditionError``."""
    return conditions.explain(compile_condition(text), data.facts())
