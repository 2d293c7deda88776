"""The text of a condition: what is accepted as written, brought into CEL, and what is refused with a way out.

Positions are kept: every replacement is as long as what it replaces, so an error points into the user's text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from django.utils.translation import gettext as _

__all__ = [
    "FUNCTIONS",
    "MAX_CHARS",
    "ConditionError",
    "Source",
    "parse",
    "patterns",
    "refusal_of",
    "with_doubles",
]

MAX_CHARS = 2_000
MAX_LOOPS = 8

#: Everything that may be called. ``exists`` and ``all`` are the only macros.
FUNCTIONS = frozenset(
    {"contains", "startsWith", "endsWith", "matches", "size", "exists", "all"}
    | {"int", "double", "string", "bool", "timestamp", "duration"}
    | {"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"}
    | {"getHours", "getMinutes", "getSeconds"}
)
_LOOPS = frozenset({"exists", "all"})

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>
        [bB]?[rR](?:\"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\r\n]*" | '[^'\r\n]*')
      | [bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3} | '{3}(?:\\.|[^\\])*?'{3}
               | "(?:\\.|[^"\\\r\n])*" | '(?:\\.|[^'\\\r\n])*'))
  | (?P<number>0[xX][0-9a-fA-F]+u?|\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+u?)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<operator>===|!==|==|!=|<=|>=|&&|\|\||.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_COMPARE = frozenset({"==", "!=", "<", "<=", ">", ">="})
_LOOSE = {"===": "==", "!==": "!="}
_KNOWN_OPERATORS = _COMPARE | set(_LOOSE) | {"&&", "||", *"()[].,?:+-*/%!"}
_CURLY = frozenset("“”‘’「」＂＇")
_WORDS = frozenset({"and", "or", "not", "AND", "OR", "NOT"})


class ConditionError(ValueError):
    """A condition cannot be used. ``position`` counts characters from 0, None where none can be named."""

    def __init__(self, message: str, position: int | None, way_out: str) -> None:
        super().__init__(message, position, way_out)
        self.message = message
        self.position = position
        self.way_out = way_out

    def __str__(self) -> str:
        where = "" if self.position is None else _(" (at character %(n)d)") % {"n": self.position + 1}
        return f"{self.message}{where}. {self.way_out}"


class Token(NamedTuple):
    kind: str
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Source:
    """A condition in CEL, as long as the text it came from.

    ``names`` are the declared variables that it reads, ``members`` the keys of map variables that it reads
    (``variables.vip`` -> ``("variables", "vip")``).
    """

    cel: str
    tokens: tuple[Token, ...]
    names: tuple[str, ...]
    members: tuple[tuple[str, str], ...]


def parse(text: str, variables: Collection[str], lists: Collection[str]) -> Source:
    """Bring a text into CEL and check what can be checked without types; raises :class:`ConditionError`.

    ``variables`` are all declared names, ``lists`` those over which ``exists`` and ``all`` may run.
    """
    if len(text) > MAX_CHARS:
        message = _("This condition has %(n)d characters") % {"n": len(text)}
        raise ConditionError(message, MAX_CHARS, _("At most %(n)d are taken: split it.") % {"n": MAX_CHARS})
    if not text.strip():
        raise ConditionError(_("The condition is empty"), None, _example())
    tokens = _as_cel(_tokens(text))
    _check_calls(tokens, lists)
    names = tuple(dict.fromkeys(t.text for t in _free_names(tokens) if t.text in variables))
    return Source(_assemble(text, tokens), tokens, names, tuple(_members(tokens, names)))


def _tokens(text: str) -> list[Token]:
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "space":
            continue
        token = Token(kind, match.group(), match.start())
        if kind == "operator":
            _check_character(token)
        found.append(token)
    return found


def _check_character(token: Token) -> None:
    """Refuse what input methods and habits put where CEL knows nothing, with the character to use instead."""
    if token.text in _CURLY:
        problem = _("«%(text)s» cannot be used here") % {"text": token.text}
        raise ConditionError(problem, token.position, _('Use the straight quote "'))
    if token.text == "=":
        raise ConditionError(_("A single = compares nothing"), token.position, _("Write =="))
    if token.text in "{}":
        raise ConditionError(_("Maps and messages cannot be written here"), token.position, _example())
    if token.text not in _KNOWN_OPERATORS:
        problem = _("«%(text)s» cannot be used here") % {"text": token.text}
        raise ConditionError(problem, token.position, _example())


def _as_cel(tokens: list[Token]) -> tuple[Token, ...]:
    """Replace ``===`` and ``!==``, and drop the prefix ``context.``."""
    kept: list[Token] = []
    skip = 0
    for index, token in enumerate(tokens):
        if skip:
            skip -= 1
        elif _is_prefix(tokens, index):
            skip = 1
        elif token.text in _LOOSE:
            kept.append(token._replace(text=_LOOSE[token.text]))
        else:
            kept.append(token)
    return tuple(kept)


def _is_prefix(tokens: list[Token], index: int) -> bool:
    texts = [token.text for token in tokens[index : index + 2]]
    after_dot = index > 0 and tokens[index - 1].text == "."
    followed = index + 2 < len(tokens) and tokens[index + 2].kind == "name"
    return texts == ["context", "."] and followed and not after_dot


def _assemble(text: str, tokens: tuple[Token, ...]) -> str:
    """Lay the tokens out where they were, so that CEL's positions are those of the user's text."""
    laid = ["\n" if char == "\n" else " " for char in text]
    for token in tokens:
        laid[token.position : token.position + len(token.text)] = token.text
    return "".join(laid)


def _free_names(tokens: tuple[Token, ...]) -> Iterator[Token]:
    """Yield the names that are neither members (``a.b``) nor called."""
    for index, token in enumerate(tokens):
        before = tokens[index - 1].text if index else ""
        if token.kind == "name" and before != "." and not _is_call(tokens, index):
            yield token


def _members(tokens: tuple[Token, ...], names: Collection[str]) -> Iterator[tuple[str, str]]:
    for index, token in enumerate(tokens[:-2]):
        dot, member = tokens[index + 1 : index + 3]
        if token.text in names and dot.text == "." and not _is_call(tokens, index + 2):
            yield token.text, member.text


def _is_call(tokens: tuple[Token, ...], index: int) -> bool:
    return index + 1 < len(tokens) and tokens[index + 1].text == "("


def _check_calls(tokens: tuple[Token, ...], lists: Collection[str]) -> None:
    loops = [_check_call(tokens, index, lists) for index in range(len(tokens)) if _calls_a_name(tokens, index)]
    spans = [span for span in loops if span is not None]
    if len(spans) > MAX_LOOPS:
        message = _("Too many exists() and all()")
        raise ConditionError(message, spans[MAX_LOOPS][0], _("At most %(n)d are taken.") % {"n": MAX_LOOPS})
    for (_start, end), (start, _end) in pairwise(spans):
        if start < end:
            position = tokens[start].position
            raise ConditionError(_("exists() and all() cannot be nested"), position, _("Use one inside && or ||."))


def _calls_a_name(tokens: tuple[Token, ...], index: int) -> bool:
    return tokens[index].kind == "name" and tokens[index].text != "in" and _is_call(tokens, index)


def _check_call(tokens: tuple[Token, ...], index: int, lists: Collection[str]) -> tuple[int, int] | None:
    """Check one call; returns the token span of a loop."""
    token = tokens[index]
    if token.text not in FUNCTIONS:
        message = _("There is no function %(name)s()") % {"name": token.text}
        raise ConditionError(message, token.position, _("Known: %(names)s.") % {"names": ", ".join(sorted(FUNCTIONS))})
    end = _closing(tokens, index + 1)
    if token.text == "matches":
        _check_pattern(tokens[index + 2 : end], token)
    if token.text not in _LOOPS:
        return None
    target = [t.text for t in tokens[max(index - 3, 0) : index]]
    if len(target) < 2 or target[-1] != "." or target[-2] not in lists or target[:-2] == ["."]:
        message = _("%(name)s() needs a list") % {"name": token.text}
        raise ConditionError(
            message, token.position, _("Lists here: %(names)s.") % {"names": ", ".join(sorted(lists)) or "-"}
        )
    return index, end


def _check_pattern(arguments: tuple[Token, ...], call: Token) -> None:
    """A pattern must be a literal: never a customer's text."""
    if not arguments or arguments[-1].kind != "string" or (len(arguments) > 1 and arguments[-2].text != ","):
        raise ConditionError(
            _("The pattern of matches() must be a text in quotes"), call.position, _("Write matches('^退.*')")
        )


def _closing(tokens: tuple[Token, ...], opening: int) -> int:
    depth = 0
    for index in range(opening, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[index].text, 0)
        if depth == 0:
            return index
    return len(tokens)


def patterns(source: Source) -> Iterator[Token]:
    """Yield the literal patterns of ``matches``, to be checked at compile."""
    for index, token in enumerate(source.tokens):
        if token.text == "matches" and _is_call(source.tokens, index):
            yield source.tokens[_closing(source.tokens, index + 1) - 1]


def with_doubles(source: Source, doubles: Collection[str]) -> str:
    """Return the CEL with whole numbers written as decimals where they are compared with a decimal variable.

    CEL compares no decimal with a whole number; people write ``intentConfidence > 0`` all the same.
    """
    tokens = list(source.tokens)
    texts = [token.text for token in tokens]
    for index, text in enumerate(texts):
        if text in _COMPARE:
            number = index + 2 if texts[index + 1 : index + 2] == ["-"] else index + 1
            if texts[index - 1] in doubles and index:
                _make_double(tokens, number)
            if texts[index + 1 : index + 2] and texts[index + 1] in doubles:
                _make_double(tokens, index - 1)
    return " ".join(token.text for token in tokens)


def _make_double(tokens: list[Token], index: int) -> None:
    if 0 <= index < len(tokens) and tokens[index].kind == "number" and tokens[index].text.isdecimal():
        tokens[index] = tokens[index]._replace(text=f"{tokens[index].text}.0")


# -- what CEL refuses, in our words ------------------------------------------------------------------------

_CEL_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")


def refusal_of(error: str, text: str, variables: Collection[str]) -> ConditionError:
    """Turn CEL's error into ours, pointing into ``text``."""
    match = _CEL_ERROR.search(error)
    if match is None:
        return ConditionError(_("This is not understood: %(error)s") % {"error": error[:200]}, None, _example())
    position = _offset(text, int(match[1]), int(match[2]))
    for pattern, explain in _EXPLAINED:
        if known := re.search(pattern, match[3]):
            message, way_out = explain(known, variables)
            return ConditionError(message, position, way_out)
    return ConditionError(_("This is not understood: %(error)s") % {"error": match[3][:200]}, position, _example())


def _offset(text: str, line: int, column: int) -> int | None:
    if line < 1:
        return None
    before = text.split("\n")[: line - 1]
    return min(sum(len(one) + 1 for one in before) + column - 1, len(text))


def _undeclared(match: re.Match[str], variables: Collection[str]) -> tuple[str, str]:
    name = match[1]
    message = _("«%(name)s» is not known here") % {"name": name}
    if name in _WORDS:
        return message, _("Write && for and, || for or, ! for not.")
    if close := difflib.get_close_matches(name, variables, n=1):
        return message, _("Did you mean «%(name)s»?") % {"name": close[0]}
    return message, _('Put texts in quotes ("%(name)s"), or use one of: %(names)s.') % {
        "name": name,
        "names": ", ".join(sorted(variables)),
    }


def _mismatch(match: re.Match[str], variables: Collection[str]) -> tuple[str, str]:
    operator = match[1].strip("_").replace("_", "")
    message = _("%(operator)s cannot be used on (%(types)s)") % {"operator": operator, "types": match[2]}
    return message, _("Compare a text with a text in quotes, a number with a number, a list with `in`.")


def _syntax(match: re.Match[str], variables: Collection[str]) -> tuple[str, str]:
    return _("This is not complete, or something stands in the wrong place"), _example()


def _too_deep(match: re.Match[str], variables: Collection[str]) -> tuple[str, str]:
    return _("The condition is nested too deeply"), _("Use fewer brackets, or split it.")


_EXPLAINED: list[tuple[str, Callable[[re.Match[str], Collection[str]], tuple[str, str]]]] = [
    (r"undeclared reference to '([^']*)'", _undeclared),
    (r"no matching overload for '([^']*)' applied to '\((.*)\)'", _mismatch),
    (r"Syntax error", _syntax),
    (r"recursion", _too_deep),
]


def _example() -> str:
    return _('Write for example: intent == "risk" || intent == "spam"')
