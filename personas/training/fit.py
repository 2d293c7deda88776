"""Fitting the classifiers: one linear model per intent and topic over n-grams, shapes and rules."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.svm import LinearSVC

from personas.local.combined import RISK
from personas.local.model import FORMAT, IntentModel, Label
from personas.local.recogniser import UNCLEAR, Evidence, Recogniser, Recognition, decide
from personas.local.tokens import grams, marks
from personas.training.examples import Example

__all__ = ["Seen", "Trained", "fit", "see"]

#: An n-gram of a single line cannot be told from chance.
LEAST_LINES = 2
#: What a shape or a rule counts beside a line's n-grams, whose squares add up to one.
MARK = 0.4
#: Inverse strength of the penalty on weights, chosen by the folds.
FREEDOM = 1.0
DANGER_FREEDOM = 0.5
SEED = 7

#: Until the folds have told: no danger by a threshold of its own, every guess counts as sure.
UNCALIBRATED = {
    "risk_threshold": 2.0,
    "threshold": 0.0,
    "calibration": {"weights": [0.0] * 6, "outcomes": {}},
    "rules": [],
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An example as the model sees it."""

    example: Example
    evidence: Evidence
    verdict: Recognition
    grams: Mapping[str, int]
    marks: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Trained:
    """A header without calibration, and arrays; :meth:`model` puts them together."""

    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    def model(self, **more: Any) -> IntentModel:
        return IntentModel({**self.header, **more}, self.arrays)

    def stored(self, **more: Any) -> dict[str, NDArray[Any]]:
        """Return the arrays as they are written, the header among them."""
        header = json.dumps({**self.header, **more}, ensure_ascii=False, sort_keys=True)
        return {"header": np.frombuffer(header.encode(), np.uint8), **self.arrays}


def see(examples: Sequence[Example], rules: Recogniser) -> list[Seen]:
    """Look at each example with the rules."""
    seen = []
    for example in examples:
        evidence = rules.examine(example.text)
        verdict = decide(evidence)
        seen.append(Seen(example, evidence, verdict, grams(evidence.line), marks(example.text, evidence, verdict)))
    return seen


def fit(lines: Sequence[Seen]) -> Trained:
    """Train on some lines; the same lines give the same arrays."""
    vocabulary = _vocabulary(lines)
    rows = {token: row for row, (token, _) in enumerate(vocabulary)}
    idf = np.array([weight for _, weight in vocabulary], np.float32)
    x = _matrix(lines, rows, idf)
    meant = _labels(lines)
    labels = sorted(set(meant), key=_order)
    each, bias = _classifiers(x, meant, labels)
    danger, border = _danger(x, np.array([intent == RISK for intent, _ in meant]))
    full, bias = np.column_stack([each, danger]), np.append(bias, border)
    scale = np.abs(full).max(axis=0) / 127
    arrays = {
        "tokens": np.frombuffer("\n".join(rows).encode(), np.uint8),
        "idf": idf.astype(np.float16),
        "weights": np.rint(full / scale).astype(np.int8),
        "scale": scale.astype(np.float32),
        "bias": bias.astype(np.float32),
    }
    return Trained({"format": FORMAT, "labels": labels, **UNCALIBRATED}, arrays)


def _labels(lines: Sequence[Seen]) -> list[Label]:
    """Return what each line teaches. Where an intent has one topic only, its lines without one teach the same."""
    topics: defaultdict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.example.topic:
            topics[line.example.intent].add(line.example.topic)
    only = {intent: next(iter(found)) for intent, found in topics.items() if len(found) == 1}
    return [_label(line.example, only) for line in lines]


def _label(example: Example, only: Mapping[str, str]) -> Label:
    if example.intent == UNCLEAR:
        return UNCLEAR, None
    return example.intent, example.topic or only.get(example.intent)


def _order(label: Label) -> tuple[str, str]:
    return label[0], label[1] or ""


def _vocabulary(lines: Sequence[Seen]) -> list[tuple[str, float]]:
    spread = Counter(gram for line in lines for gram in line.grams)
    known = sorted(gram for gram, count in spread.items() if count >= LEAST_LINES)
    signs = sorted({mark for line in lines for mark in line.marks})
    rare = [(gram, math.log((1 + len(lines)) / (1 + spread[gram])) + 1) for gram in known]
    return rare + [(sign, MARK) for sign in signs]


def _matrix(lines: Sequence[Seen], rows: Mapping[str, int], idf: NDArray[np.float32]) -> csr_matrix:
    data, columns, ends = [], [], [0]
    for line in lines:
        values = {rows[g]: (1 + math.log(n)) * float(idf[rows[g]]) for g, n in line.grams.items() if g in rows}
        norm = math.sqrt(sum(value * value for value in values.values())) or 1.0
        values = {row: value / norm for row, value in values.items()}
        values |= {rows[mark]: by * MARK for mark, by in line.marks.items() if mark in rows}
        # in one order, whatever order sets have in this process: sums of floats depend on it
        columns += sorted(values)
        data += [values[column] for column in sorted(values)]
        ends.append(len(columns))
    return csr_matrix((data, columns, ends), shape=(len(lines), len(rows)))


def _classifiers(
    x: csr_matrix, meant: Sequence[Label], labels: Sequence[Label]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit one against the rest for each label; a rare label counts as much as a frequent one."""
    numbers = {label: number for number, label in enumerate(labels)}
    fitted = LinearSVC(C=FREEDOM, class_weight="balanced", random_state=SEED)
    fitted.fit(x, [numbers[label] for label in meant])
    return fitted.coef_.T, fitted.intercept_


def _danger(x: csr_matrix, is_danger: NDArray[np.bool_]) -> tuple[NDArray[np.float64], float]:
    """Fit dangers against everything else, on their own: one missed is worse than a wrong topic.

    A token counts by half for itself, by half for how much oftener it stands on one side than on the other (log-count
    ratios, Wang and Manning 2012); folded into the weights, so that judging costs one column more.
    """
    inside, outside = (1 + np.asarray((x[side] > 0).sum(axis=0))[0] for side in (is_danger, ~is_danger))
    ratio = np.abs(np.log((inside / inside.sum()) / (outside / outside.sum())))
    counts = (1 + ratio) / 2
    fitted = LinearSVC(C=DANGER_FREEDOM, random_state=SEED)
    fitted.fit(x.multiply(counts).tocsr(), is_danger)
    return fitted.coef_[0] * counts, float(fitted.intercept_[0])
