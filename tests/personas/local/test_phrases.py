"""Finding phrases and patterns: what is passed over by a quick look must really not be there."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from personas.local.normalise import normalise
from personas.local.phrases import PatternSet, PhraseSet
from personas.local.recogniser import ADDRESSING, ASKING, NEEDING
from personas.local.rules import load_rules
from personas.needs import needs_of
from personas.training.examples import load_examples

PATTERNS = [*(pattern for rule in load_rules() for pattern in rule.patterns), ASKING, ADDRESSING, NEEDING]
SEEDED = PatternSet(PATTERNS)


def occurring(patterns: list[str], text: str) -> list[int]:
    return [number for number, pattern in enumerate(patterns) if re2.search(pattern, text)]


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        ("退款", [{"退"}, {"款"}]),
        ("退(了|过)?款", [{"退"}, {"款"}]),
        ("(退|换)货", [{"退", "换"}, {"货"}]),
        ("(?:退款|退|换货吗)的", [{"退", "换"}, {"的"}]),
        ("[大小]{1,2}号", [{"大", "小"}, {"号"}]),
        ("第[0-9]+条", [{"第"}, set("0123456789"), {"条"}]),
        ("a{0,3}b*c+", [{"c"}]),
        (r"\?|吗$", [{"?", "吗"}]),
        ("^.{3}[^对]不", [{"不"}]),
        ("退款|.", []),
        ("(|退)", []),
    ],
)
def test_what_a_pattern_cannot_do_without(pattern, needs):
    assert [set(need) for need in needs_of(pattern)] == needs


def test_what_stands_around_a_match_is_no_need_of_it():
    assert [set(need) for need in needs_of("(?<!第)一(?=天|周)(?!半)月")] == [{"一"}, {"月"}]


def test_where_case_does_not_count_letters_are_no_need():
    assert [set(need) for need in needs_of("(vx|微)信A", ignore_case=True)] == [{"信"}]


@pytest.mark.parametrize("pattern", ["(?i)abc", r"\pN退", r"\x{9000}", r"\Qa.b\E", "[[:alpha:]]退|x", r"[a-z\d]"])
def test_what_is_not_understood_is_always_searched(pattern):
    assert needs_of(pattern) == []


def test_seeded_patterns_are_found_in_examples_as_by_searching_each():
    for example in load_examples()[::60]:
        line = normalise(example.text)
        assert SEEDED.search(line) == occurring(PATTERNS, line)


_PIECE = st.sampled_from(
    ["退", "款", "[退换]", "[^退]", "(退|款吗)", "(?:换|)", ".", r"\?", r"\d", "货", "^", "$", "[0-9]"]
)
_REPEATED = st.sampled_from(["", "", "?", "*", "+", "{0,2}", "{2}", "+?"])


@st.composite
def patterns(draw: st.DrawFn) -> str:
    branches = draw(st.lists(st.lists(st.tuples(_PIECE, _REPEATED), min_size=1, max_size=4), min_size=1, max_size=3))
    return "|".join("".join(f"(?:{piece}){repeat}" for piece, repeat in branch) for branch in branches)


@given(patterns(), st.text("退款换货吗?12 ", max_size=8))
def test_a_pattern_that_occurs_is_never_passed_over(pattern, text):
    assert PatternSet([pattern]).search(text) == occurring([pattern], text)


@given(st.text("退款怎么没到快递x ", max_size=14))
def test_phrases_are_found_by_their_pieces(line):
    phrases = ["退款", "款", "怎么*退款", "快递+没到", "没到*x", "退款怎么没"]
    pieces = [[part.split("*") for part in phrase.split("+")] for phrase in phrases]
    wanted = [
        number
        for number, parts in enumerate(pieces)
        if all(re2.search("(?s)" + ".{0,8}".join(map(re2.escape, part)), line) for part in parts)
    ]
    assert PhraseSet(phrases).search(line) == wanted
