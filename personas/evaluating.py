"""Judging the local recogniser by a file of labelled lines: reads, times, and says what was predicted."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError

from personas import caches
from personas.local.combined import CombinedRecogniser
from personas.local.model import IntentModel
from personas.local.presets import load_intents
from personas.local.recogniser import UNCLEAR, Recognition
from personas.local.rules import load_rules
from personas.local.scores import at_depth, figures
from personas.models import Intent, IntentRule
from templates_lib.library import load_library
from templates_lib.models import TemplateCategory

__all__ = ["Evaluation", "LabelledLine", "LineError", "evaluate", "known_labels", "read_lines"]

VERSION = 1


class LineError(ValueError):
    """A line of the file cannot be used; the message names its number."""


@dataclass(frozen=True, slots=True)
class LabelledLine:
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``report`` has the documented shape; times are in the unit of their names."""

    report: dict[str, Any]
    lines: Sequence[LabelledLine]
    found: Sequence[Recognition]

    def predictions(self) -> Iterable[dict[str, Any]]:
        for line, found in zip(self.lines, self.found, strict=True):
            said = {"intent": found.intent, "topic": found.topic, "confidence": found.confidence, "why": found.why}
            yield {"text": line.text, "label": line.label, **said}


def read_lines(path: Path, intents: Collection[str], topics: Collection[str]) -> list[LabelledLine]:
    """Read JSON lines with ``text`` and ``label``; raises :class:`LineError` for a label nobody knows."""
    lines = []
    for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if row.strip():
            lines.append(_line(number, row, intents, topics))
    if not lines:
        raise LineError("the file has no lines")
    return lines


def _line(number: int, row: str, intents: Collection[str], topics: Collection[str]) -> LabelledLine:
    try:
        document = json.loads(row)
        text, label = document["text"], document["label"]
    except (ValueError, KeyError, TypeError) as error:
        raise LineError(f'line {number}: {{"text", "label"}} is expected: {error}') from error
    if not isinstance(text, str) or not isinstance(label, str):
        raise LineError(f"line {number}: text and label must be strings")
    intent, slash, topic = label.partition("/")
    if intent not in intents or (slash and topic not in topics):
        raise LineError(f"line {number}: unknown label {label!r}")
    return LabelledLine(text, label)


def known_labels() -> tuple[frozenset[str], frozenset[str]]:
    """Return all intents and topics: the seeded ones and those of the database, where there is one."""
    intents = {intent.key for intent in load_intents()} | {UNCLEAR}
    topics = {category.name for category in load_library().categories}
    try:
        intents.update(Intent.objects.values_list("key", flat=True))
        topics.update(TemplateCategory.objects.values_list("name", flat=True))
    except DatabaseError:  # no tables yet: the seeds are all there is
        pass
    return frozenset(intents), frozenset(topics)


def evaluate(lines: Sequence[LabelledLine]) -> Evaluation:
    """Recognise every line by the rules in force; nothing is recorded."""
    use_database = _has_rules()
    started = time.perf_counter()
    recogniser = caches.recogniser() if use_database else CombinedRecogniser(load_rules(), IntentModel.load())
    load_s = time.perf_counter() - started
    found, times = [], []
    for line in lines:
        begun = time.perf_counter()
        found.append(recogniser.recognise(line.text))
        times.append(time.perf_counter() - begun)
    scored = figures((_judged(line.label), _predicted(line.label, f)) for line, f in zip(lines, found, strict=True))
    p95 = sorted(times)[int(0.95 * (len(times) - 1))] * 1000
    report = {"version": VERSION, **scored}
    timed = {"p95_ms": round(p95, 3), "load_s": round(load_s, 3)}
    per_class, confusion = report.pop("per_class"), report.pop("confusion")
    return Evaluation({**report, **timed, "per_class": per_class, "confusion": confusion}, lines, found)


def _judged(label: str) -> str:
    """What is unclear has no topic that could be right."""
    return UNCLEAR if label.startswith(f"{UNCLEAR}/") else label


def _predicted(label: str, found: Recognition) -> str:
    return at_depth(_judged(label), found)


def _has_rules() -> bool:
    try:
        return IntentRule.objects.exists()
    except DatabaseError:
        return False
