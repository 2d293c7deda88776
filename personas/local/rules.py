"""Rules of the local model: rows that operators edit, one intent and topic each.

Phrases (see :mod:`personas.local.phrases`) say most of it; what they cannot say is a pattern in RE2 syntax,
which runs in linear time whatever a customer types. Phrases are brought to the normal form of
:mod:`personas.local.normalise`; patterns are matched against lines in that form.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import re2
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from personas.local.phrases import parse_phrase
from worktool_ai.lib.yaml_data import read_yaml

__all__ = ["RULES_FOLDER", "Rule", "RuleError", "fingerprint", "load_rules"]

RULES_FOLDER = Path(__file__).resolve().parent.parent / "data" / "rules"

Phrase = Annotated[str, Field(min_length=1, max_length=80)]
Pattern = Annotated[str, Field(min_length=1, max_length=300)]


class RuleError(ValueError):
    """A rule file cannot be used; the message names the file, the rule and the field."""


class Rule(BaseModel):
    """Any phrase or pattern found and no exclude found -> evidence of ``weight`` for intent and topic.

    ``weight`` 1 settles a line alone, 0.5 needs a question or another hint, 0.3 is a hint only; a negative
    weight speaks against. ``topic`` is the name of a template category or None. Excludes are written like
    phrases.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    slug: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)
    intent: str
    topic: str | None = None
    phrases: tuple[Phrase, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    excludes: tuple[Pattern, ...] = ()
    weight: float = Field(default=1.0, ge=-10, le=10)
    active: bool = True
    note: str = ""

    @field_validator("phrases", "excludes")
    @classmethod
    def _readable(cls, phrases: tuple[str, ...]) -> tuple[str, ...]:
        for phrase in phrases:
            parse_phrase(phrase)
        return phrases

    @field_validator("patterns")
    @classmethod
    def _linear(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            _check_pattern(pattern)
        return patterns

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if not self.phrases and not self.patterns:
            raise ValueError("a rule needs at least one phrase or pattern")
        return self


def _check_pattern(pattern: str) -> None:
    try:
        found_in_nothing = re2.search(pattern, "") is not None
    except re2.error as error:
        raise ValueError(f"pattern {pattern!r} is not RE2 syntax: {error}") from error
    if found_in_nothing:
        raise ValueError(f"pattern {pattern!r} matches every line")


def fingerprint(rule: Rule) -> str:
    """Return a short digest of what a rule finds and says; its note and whether it is on do not count."""
    said = rule.model_dump_json(exclude={"note", "active"})
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def load_rules(folder: Path = RULES_FOLDER) -> tuple[Rule, ...]:
    """Read all ``*.yaml`` of a folder in file order; raises :class:`RuleError` for what cannot be used."""
    rules: dict[str, Rule] = {}
    for path in sorted(folder.glob("*.yaml")):
        for row in _rows(path):
            rule = _rule(path, row)
            if rule.slug in rules:
                raise RuleError(f"{path.name}: rule {rule.slug!r} is defined twice")
            rules[rule.slug] = rule
    return tuple(rules.values())


def _rows(path: Path) -> list[Any]:
    try:
        rows = read_yaml(path)
    except yaml.YAMLError as error:
        raise RuleError(f"{path.name}: not YAML: {error}") from error
    if not isinstance(rows, list):
        raise RuleError(f"{path.name}: one list of rules is expected")
    return rows


def _rule(path: Path, row: Any) -> Rule:
    slug = row.get("slug", "?") if isinstance(row, dict) else "?"
    try:
        return Rule.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RuleError(f"{path.name}: rule {slug!r}: {where}: {first['msg']}") from error
