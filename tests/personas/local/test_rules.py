from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from personas.local.phrases import PhraseSet
from personas.local.presets import load_intents
from personas.local.rules import Rule, RuleError, load_rules
from templates_lib.library import load_library

GOOD = {"slug": "refund", "intent": "service", "topic": "支付问题", "phrases": ["退款"]}


def _load(tmp_path, *rows):
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(list(rows), allow_unicode=True), "utf-8")
    return load_rules(tmp_path)


def test_seeded_rules_name_intents_and_topics_that_exist():
    intents = {intent.key for intent in load_intents()}
    topics = {category.name for category in load_library().categories} | {None}
    rules = load_rules()
    assert {rule.intent for rule in rules} <= intents
    assert {rule.topic for rule in rules} == topics


def test_seeded_rules_fit_their_columns():
    for rule in load_rules():
        assert all(len(phrase) <= 80 for phrase in rule.phrases), rule.slug
        assert all(len(pattern) <= 300 for pattern in (*rule.patterns, *rule.excludes)), rule.slug


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"patterns": ["(退"]}, "not RE2 syntax"),
        ({"patterns": ["(退)?"]}, "matches every line"),
        ({"patterns": ["(?=退)款"]}, "not RE2 syntax"),
        ({"phrases": ["退*"]}, "nothing to search for"),
        ({"phrases": ["！！"]}, "nothing to search for"),
        ({"phrases": []}, "at least one phrase"),
        ({"slug": "Refund!"}, "slug"),
        ({"weight": 99}, "weight"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_its_place(tmp_path, change, said):
    with pytest.raises(RuleError) as error:
        _load(tmp_path, GOOD | change)
    assert "r.yaml" in str(error.value)
    assert said in str(error.value)


def test_a_slug_is_used_once(tmp_path):
    with pytest.raises(RuleError, match="'refund' is defined twice"):
        _load(tmp_path, GOOD, GOOD)


@pytest.mark.parametrize("text", ["{", "slug: x", "- 退款"])
def test_what_is_no_list_of_rules_is_refused(tmp_path, text):
    (tmp_path / "r.yaml").write_text(text, "utf-8")
    with pytest.raises(RuleError, match=r"r\.yaml"):
        load_rules(tmp_path)


def test_a_rule_from_a_row_is_checked_the_same_way():
    with pytest.raises(ValidationError):
        Rule(slug="x", intent="service", patterns=("[",))


@pytest.mark.parametrize(
    ("phrase", "line", "found"),
    [
        ("退款", "我要退款", True),
        ("如何*退钱", "怎么才能退款", True),
        ("怎么*退款", "退款怎么办", False),
        ("怎么*退款", "怎么一二三四五六七八退款", True),
        ("怎么*退款", "怎么一二三四五六七八九退款", False),
        ("怎么*退款", "怎么怎么一二三四五六七退款", True),
        ("快递+没到", "都五天了还没到 我的快递呢", True),
        ("快递+没到", "快递到了", False),
        ("a*b*c", "a b b xxxxxx c", True),
    ],
)
def test_phrases_match_with_gaps_and_in_any_order(phrase, line, found):
    assert PhraseSet([phrase]).search(line) == ([0] if found else [])
