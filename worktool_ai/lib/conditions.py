"""Conditions that people write: one evaluator (CEL) for decisions, edges and alert rules.

Accepted as written: ``intent == "risk" || intent == 'spam'``, ``&&``, ``!``, ``===``, ``!==``, ``in [..]``,
the prefix ``context.``. Names and types are checked at compile, so a mistake is found when a rule is saved.

Bounds: 2,000 characters, inputs of 16 KB, the functions of ``FUNCTIONS`` only, ``exists`` and ``all`` over
declared lists and not nested, patterns of ``matches`` as literals (RE2: linear time), and the runtime's own
limits (nesting 32, 10,000 iterations). Nothing outside the given values can be reached.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Union, get_args, get_origin

from django.utils.translation import gettext as _
from pydantic import BaseModel

from worktool_ai.lib.condition_text import (
    FUNCTIONS,
    MAX_CHARS,
    ConditionError,
    Source,
    parse,
    patterns,
    refusal_of,
    with_doubles,
)
from worktool_ai.lib.text import shorten

try:
    from cel_expr_python import cel
except ImportError as error:
    raise ImportError(
        "cel-expr-python cannot be loaded. Its wheels exist for Linux (x86_64 and aarch64, glibc) and macOS; "
        "on any other platform run the Docker image."
    ) from error

__all__ = [
    "FUNCTIONS",
    "MAX_CHARS",
    "MAX_INPUT_BYTES",
    "CelType",
    "Condition",
    "ConditionError",
    "Verdict",
    "compile",
    "explain",
    "variables_of",
]

MAX_INPUT_BYTES = 16 * 1024
#: What one entry of a list or map counts towards the input, so that loops are bounded with it.
_ENTRY_BYTES = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = 2**63


class CelType(Enum):
    """The types that a variable can be declared with."""

    STRING = "string"
    INT = "int"
    DOUBLE = "double"
    BOOL = "bool"
    STRINGS = "list(string)"
    TIMESTAMP = "timestamp"
    MAP = "map(string, dyn)"


_CEL_TYPES = {
    CelType.STRING: cel.Type.STRING,
    CelType.INT: cel.Type.INT,
    CelType.DOUBLE: cel.Type.DOUBLE,
    CelType.BOOL: cel.Type.BOOL,
    CelType.STRINGS: cel.Type.List(cel.Type.STRING),
    CelType.TIMESTAMP: cel.Type.TIMESTAMP,
    CelType.MAP: cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
}
Variables = tuple[tuple[str, CelType], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a condition holds, what it wanted, and the values that it looked at (long texts cut)."""

    matched: bool
    wanted: str
    actual: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition; immutable and shared. ``names`` are the variables that it reads."""

    text: str
    names: tuple[str, ...]
    _source: Source = field(repr=False)
    _types: dict[str, CelType] = field(repr=False)
    _expression: Any = field(repr=False)

    def evaluate(self, values: Mapping[str, Any]) -> bool:
        """Judge the values (camelCase names). Absent and None count as the type's empty value.

        Raises :class:`ConditionError` where the condition itself fails on them: a division by zero, inputs of
        more than 16 KB, a value that is not of its declared type. A comparison that makes no sense because a
        member of a map is absent (``variables.score > 3``) does not hold.
        """
        result = self._run(self._inputs(values))
        if isinstance(result, bool):
            return result
        if "Key not found" in str(result) or self._lacks_member(values):
            return False
        message = _("The condition failed on these values: %(error)s") % {"error": str(result)[:200]}
        raise ConditionError(message, None, _("Check for empty values, zero and numbers in texts first."))

    def _run(self, inputs: dict[str, Any]) -> Any:
        try:
            return self._expression.eval(data=inputs).value()
        except RuntimeError as error:  # the iteration budget
            return error

    def _inputs(self, values: Mapping[str, Any]) -> dict[str, Any]:
        inputs = {name: _convert(name, self._types[name], values.get(name)) for name in self.names}
        for name, member in self._source.members:
            if self._types[name] is CelType.MAP:
                inputs[name].setdefault(member, None)
        if (size := sum(map(_size, inputs.values()))) > MAX_INPUT_BYTES:
            message = _("The values have %(n)d bytes") % {"n": size}
            raise ConditionError(message, None, _("At most %(n)d are judged.") % {"n": MAX_INPUT_BYTES})
        return inputs

    def _lacks_member(self, values: Mapping[str, Any]) -> bool:
        return any((values.get(name) or {}).get(member) is None for name, member in self._source.members)


def compile(text: str, variables: Mapping[str, CelType]) -> Condition:
    """Check and compile a condition over declared variables, cached; raises :class:`ConditionError`."""
    return _compiled(text, tuple(sorted(variables.items(), key=lambda item: item[0])))


def explain(condition: Condition, values: Mapping[str, Any]) -> Verdict:
    """Judge and say why: the condition's text and the values of the variables it reads."""
    actual = {name: _shown(values.get(name)) for name in condition.names}
    return Verdict(condition.evaluate(values), condition.text, actual)


def variables_of(model: type[BaseModel]) -> dict[str, CelType]:
    """Declare the fields of a pydantic model under their aliases; fields of other types cannot be used."""
    found = {
        info.serialization_alias or info.alias or name: _type_of(info.annotation)
        for name, info in model.model_fields.items()
    }
    return {name: kind for name, kind in found.items() if kind is not None}


_PYTHON_TYPES: dict[Any, CelType] = {
    str: CelType.STRING,
    bool: CelType.BOOL,
    int: CelType.INT,
    float: CelType.DOUBLE,
    datetime: CelType.TIMESTAMP,
    dict: CelType.MAP,
}


def _type_of(annotation: Any) -> CelType | None:
    origin, arguments = (
        get_origin(annotation),
        [a for a in get_args(annotation) if a not in (type(None), ...)],
    )
    if origin in (Union, types.UnionType):
        return _type_of(arguments[0]) if len(arguments) == 1 else None
    if origin in (list, tuple, set, frozenset):
        return CelType.STRINGS if arguments == [str] else None
    return _PYTHON_TYPES.get(origin or annotation)


@lru_cache(maxsize=64)
def _environment(variables: Variables) -> Any:
    return cel.NewEnv(variables={name: _CEL_TYPES[kind] for name, kind in variables})


@lru_cache(maxsize=1024)
def _compiled(text: str, variables: Variables) -> Condition:
    kinds = dict(variables)
    source = parse(text, kinds, [name for name, kind in variables if kind is CelType.STRINGS])
    for pattern in patterns(source):
        if not isinstance(_environment(()).compile(f"''.matches({pattern.text})").eval(data={}).value(), bool):
            message = _("This is not a pattern that can be searched for")
            raise ConditionError(message, pattern.position, _("Write an RE2 pattern, for example '退款|退货'."))
    expression = _expression(source, text, kinds)
    if expression.return_type().name() != "BOOL":
        way_out = _("Compare it with something, for example: %(name)s == …") % {"name": (*source.names, "x")[0]}
        raise ConditionError(_("This is a value, not a condition"), 0, way_out)
    return Condition(text, source.names, source, kinds, expression)


def _expression(source: Source, text: str, kinds: dict[str, CelType]) -> Any:
    environment = _environment(tuple(kinds.items()))
    try:
        return environment.compile(source.cel)
    except RuntimeError as error:
        refusal = refusal_of(str(error), text, kinds)
    try:
        return environment.compile(with_doubles(source, [n for n, k in kinds.items() if k is CelType.DOUBLE]))
    except RuntimeError:
        raise refusal from None


# -- values ------------------------------------------------------------------------------------------------


def _convert(name: str, kind: CelType, value: Any) -> Any:
    try:
        return _CONVERTERS[kind](value)
    except (TypeError, ValueError, OverflowError):
        message = _("«%(name)s» is not of type %(type)s here") % {"name": name, "type": kind.value}
        raise ConditionError(message, None, _("Correct what writes this value.")) from None


def _string(value: Any) -> str:
    if value is None:
        return ""
    # The runtime crashes on lone surrogates and ends a text at NUL, which would hide the rest from every rule.
    return str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _int(value: Any) -> int:
    number = int(value or 0)
    if number != (value or 0) and not isinstance(value, str):
        raise ValueError("not a whole number")
    if not -_INT64 <= number < _INT64:
        raise OverflowError("beyond 64 bits")
    return number


def _bool(value: Any) -> bool:
    if value not in (None, True, False):
        raise TypeError("not a boolean")
    return bool(value)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str | Mapping):
        raise TypeError("not a list")
    return [_string(item) for item in value or ()]


def _timestamp(value: Any) -> datetime:
    if value is None:
        return _EPOCH
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("not an aware time")
    return value


def _map(value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise TypeError("not a map")
    return {_string(key): _dynamic(item) for key, item in (value or {}).items()}


def _dynamic(value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else float(value)
    if isinstance(value, Mapping):
        return _map(value)
    if isinstance(value, list | tuple):
        return [_dynamic(item) for item in value]
    return _string(value)


_CONVERTERS = {
    CelType.STRING: _string,
    CelType.INT: _int,
    CelType.DOUBLE: lambda value: float(value or 0),
    CelType.BOOL: _bool,
    CelType.STRINGS: _strings,
    CelType.TIMESTAMP: _timestamp,
    CelType.MAP: _map,
}


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list):
        return sum(_ENTRY_BYTES + _size(item) for item in value)
    if isinstance(value, dict):
        return sum(_ENTRY_BYTES + _size(key) + _size(item) for key, item in value.items())
    return 0


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return shorten(value, 200)
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value[:20]]
    if isinstance(value, Mapping):
        return {str(name): _shown(item) for name, item in list(value.items())[:20]}
    return value if isinstance(value, int | float | None) else str(value)
