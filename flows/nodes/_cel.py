"""Conditions over the StandardContext: the variables that CEL sees are its fields, under their camelCase names."""

from __future__ import annotations

from functools import lru_cache

from flows.context import StandardContext
from worktool_ai.lib import conditions

__all__ = ["compile_condition", "explain"]

_variables = conditions.variables_of(StandardContext)


@lru_cache(maxsize=512)
def compile_condition(text: str) -> conditions.Condition:
    """Compile and type-check; raises ``conditions.ConditionError`` naming place and way out."""
    return conditions.compile(text, _variables)


def explain(text: str, data: StandardContext) -> conditions.Verdict:
    """Judge a condition over the context: matched, wanted and actual. Raises ``ConditionError``."""
    return conditions.explain(compile_condition(text), data.facts())
