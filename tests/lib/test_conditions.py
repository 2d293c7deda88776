"""Conditions: what people write is understood, mistakes are found at save, and nothing escapes its bounds."""

from __future__ import annotations

import contextlib
import importlib
import sys
from datetime import UTC, datetime

import pytest
from django.utils import translation
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from worktool_ai.lib import conditions
from worktool_ai.lib.conditions import CelType, ConditionError, compile, explain, variables_of

VARIABLES = {
    "intent": CelType.STRING,
    "originalMessage": CelType.STRING,
    "intentConfidence": CelType.DOUBLE,
    "textType": CelType.INT,
    "atMe": CelType.BOOL,
    "executionPath": CelType.STRINGS,
    "receivedAt": CelType.TIMESTAMP,
    "variables": CelType.MAP,
}
VALUES = {
    "intent": "risk",
    "originalMessage": "如何退款？",
    "intentConfidence": 0.8,
    "textType": 1,
    "atMe": True,
    "executionPath": ["receive", "intent"],
    "receivedAt": datetime(2026, 11, 22, 8, tzinfo=UTC),
    "variables": {"vip": True, "score": 3, "nested": {"a": 1}},
}


def holds(text: str, values=VALUES) -> bool:
    return compile(text, VARIABLES).evaluate(values)


def refused(text: str) -> ConditionError:
    with pytest.raises(ConditionError) as caught:
        compile(text, VARIABLES)
    assert caught.value.way_out
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        'intent == "risk" || intent == "spam"',
        "intent === 'risk' && !(intent !== \"risk\")",
        "context.intent == 'risk'",
        "context.intent === context.intent",
        "intent in ['risk', 'spam']",
        "intentConfidence > 0",
        "intentConfidence >= -1 && 1 >= intentConfidence",
        "intentConfidence > 0.79",
        "textType == 1 && atMe",
        "originalMessage.contains('退款')",
        "originalMessage.matches('退款|退货')",
        "context.originalMessage.matches(r'^如何')",
        "originalMessage.size() == 5",
        "executionPath.exists(node, node == 'intent')",
        "context.executionPath.all(node, node != 'end')",
        "'receive' in executionPath",
        "receivedAt > timestamp('2026-01-01T00:00:00Z')",
        "variables.vip == true && variables.score > 2 && variables.nested.a == 1",
        "variables['vip'] == true",
        "intent == 'risk' ? atMe : false",
        "intent == 'risk' // a comment\n && atMe",
        "'context.x === y' != intent",
        "true",
    ],
)
def test_accepted_as_written(text):
    assert holds(text)


def test_texts_in_quotes_are_left_alone():
    values = {"intent": 'a === b && context.intent !== "c" {}“”='}
    assert holds("""intent == 'a === b && context.intent !== "c" {}“”='""", values)
    assert holds(r"""intent == "it's \"x\"" """, {"intent": 'it\'s "x"'})


@pytest.mark.parametrize(
    ("text", "position", "hint"),
    [
        ("intnt == 'risk'", 0, "intent"),
        ("intent == risk", 10, '"risk"'),
        ("context.intnt === 'risk'", 8, "intent"),
        ("intent == 1", 7, "quotes"),
        ("intent = 'risk'", 7, "=="),
        ("intent == “risk”", 10, '"'),
        ("intent == 'a' and atMe", 14, ""),
        ("atMe || (", None, ""),
        ("intent", 0, "=="),
        ("textType + 1", 0, "=="),
        ("", None, "intent"),
        ("   ", None, "intent"),
        ("originalMessage.matches('(')", 24, "RE2"),
        ("originalMessage.matches(intent)", 16, "matches("),
        ("originalMessage.matches('a' + intent)", 16, "matches("),
        ("matches(originalMessage, intent)", 0, "matches("),
        ("executionPath.map(x, x) == executionPath", 14, "exists"),
        ("executionPath.filter(x, true).size() > 0", 14, "exists"),
        ("executionPath.exists_one(x, x == 'a')", 14, "exists"),
        ("has(variables.vip)", 0, "exists"),
        ("[1, 2].exists(x, x == 1)", 7, "executionPath"),
        ("variables.tags.exists(x, x == 'a')", 15, "executionPath"),
        ("executionPath.all(x, executionPath.all(y, x == y))", 35, "&&"),
        ("intent == 'a' || {'a': 1}.a == 1", 17, ""),
        ("intent == 'a'; atMe", 13, ""),
        ("true && " * 300 + "true", 2000, "2000"),
        ("||".join(["executionPath.all(x, x == 'a')"] * 9), None, "8"),
    ],
)
def test_mistakes_are_refused_with_position_and_way_out(text, position, hint):
    with translation.override("en"):
        error = refused(text)
        assert hint in str(error.way_out)
    if position is not None:
        assert error.position == position


def test_an_error_on_a_later_line_is_found_in_the_whole_text():
    text = "atMe\n&& intent == 'a'\n&& foo"
    assert refused(text).position == text.index("foo")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id') == 0",
        "intent.__class__.__mro__[1].__subclasses__()",
        "().__class__.__bases__[0]",
        "constructor.constructor('return process')()",
        "{{7*7}} == 49",
        "${7*7} == 49",
        "eval('1') == 1",
        "lambda: True",
        "globals()['__builtins__']",
        "google.protobuf.Struct{fields: {}} == null",
        "google.protobuf.Any{type_url: 'x'} == null",
        "dyn(intent) == 1",
        "type(intent) == string",
        "cel.bind(x, intent, x == 'a')",
        "intent == 'a' UNION SELECT",
        "intent.matches('(?=a)')",
        "intent.matches('(a)\\\\1')",
        "intent.matches('((a{0,999}){0,999}){0,999}')",
        "b'a'.size() == intent.size(1)",
        "require('fs')",
        r"r'\' == '' || has(variables.vip) || '' == '",
        "(" * 999 + "true" + ")" * 999,
        "!(" * 500 + "true" + ")" * 500,
        "[" * 900 + "]" * 900 + " == []",
        "+".join(["textType"] * 200) + " > 0",
        "variables" + ".a" * 900 + " == 1",
        "\x00",
        "intent == 'a\nb'",
    ],
)
def test_known_escapes_are_refused(text):
    refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "intent == ''",
        "intentConfidence == 0.0",
        "textType == 0",
        "!atMe",
        "executionPath.size() == 0",
        "!(variables.vip == true)",
        "receivedAt == timestamp('1970-01-01T00:00:00Z')",
    ],
)
@pytest.mark.parametrize("values", [{}, dict.fromkeys(VARIABLES)])
def test_absent_values_count_as_empty(text, values):
    assert holds(text, values)


@pytest.mark.parametrize("text", ["variables.score > 3", "variables['score'] > 3", "variables.a.b == 1"])
def test_a_comparison_with_an_absent_member_does_not_hold(text):
    assert not holds(text, {"variables": {}})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("textType / (textType - 1) == 1", {"textType": 1}),
        ("intent == 'a'", {"intent": "x" * 17_000}),
        ("executionPath.all(x, x == 'a')", {"executionPath": ["a"] * 1_000}),
        ("textType == 1", {"textType": 2**70}),
        ("textType == 1", {"textType": 1.5}),
        ("atMe", {"atMe": "yes"}),
        ("executionPath.size() == 1", {"executionPath": "text"}),
        ("receivedAt == receivedAt", {"receivedAt": datetime(2026, 1, 1)}),
        ("variables.a == 1", {"variables": [1]}),
    ],
)
def test_what_cannot_be_judged_is_an_error_not_a_verdict(text, values):
    condition = compile(text, VARIABLES)
    with pytest.raises(ConditionError):
        condition.evaluate(values)


def test_odd_values_do_not_break_the_runtime():
    assert holds("intent == '?'", {"intent": "\ud800"})
    assert not holds("intent == 'a'", {"intent": "a\x00"})
    assert holds("variables.big > 1.0", {"variables": {"big": 2**70, "odd": object(), "list": [1, {"a": None}]}})


def test_a_verdict_shows_the_values_it_looked_at_and_no_others():
    condition = compile("context.intent === 'spam' || originalMessage.contains('x')", VARIABLES)
    verdict = explain(condition, {**VALUES, "originalMessage": "退" * 500})
    assert not verdict.matched
    assert verdict.wanted == "context.intent === 'spam' || originalMessage.contains('x')"
    assert set(verdict.actual) == {"intent", "originalMessage"}
    assert len(verdict.actual["originalMessage"]) == 200


def test_conditions_are_compiled_once():
    assert compile("intent == 'a'", VARIABLES) is compile("intent == 'a'", dict(reversed(VARIABLES.items())))


def test_variables_are_declared_from_a_model():
    class Context(BaseModel):
        model_config = ConfigDict(alias_generator=to_camel)

        user_name: str
        text_type: int | None = None
        confidence: float = 0
        at_me: bool = False
        path: tuple[str, ...] = ()
        data: dict[str, object] = {}
        received_at: datetime
        rows: list[dict[str, str]] = []

    assert variables_of(Context) == {
        "userName": CelType.STRING,
        "textType": CelType.INT,
        "confidence": CelType.DOUBLE,
        "atMe": CelType.BOOL,
        "path": CelType.STRINGS,
        "data": CelType.MAP,
        "receivedAt": CelType.TIMESTAMP,
    }


def _join(parts: tuple[str, list[str]]) -> str:
    separator, pieces = parts
    return separator.join(pieces)


SYMBOLS = [
    "context",
    "===",
    "!==",
    "==",
    "!=",
    "&&",
    "||",
    "!",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ".",
    ",",
    "?",
    ":",
    "'a'",
    '"b"',
    "'",
    '"',
    "1",
    "2.5",
    "in",
    "\\",
    "r'",
    "//",
    "“",
    "=",
    "-",
]
PIECES = st.sampled_from([*VARIABLES, *conditions.FUNCTIONS, *SYMBOLS, "\n"])


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.tuples(st.sampled_from(["", " "]), st.lists(PIECES, max_size=25)).map(_join))
@example("context.")
@example("context.context.intent == ''")
@example("matches(")
@example("== intentConfidence == 1")
def test_any_text_is_either_a_condition_or_refused(text):
    with contextlib.suppress(ConditionError):
        assert isinstance(compile(text, VARIABLES).evaluate(VALUES), bool)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_no_value_can_break_out_of_its_variable(text):
    assert holds("intent == originalMessage", {"intent": text, "originalMessage": text})


def test_a_platform_without_the_wheel_is_told_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    name = conditions.__name__
    monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match="wheels exist for Linux"):
        importlib.import_module(name)
