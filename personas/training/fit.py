"""Fitting the classifiers: one linear model per intent and per topic over n-grams, shapes and rules."""

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
from sklearn.linear_model import LogisticRegression

from personas.local.model import FORMAT, IntentModel
from personas.local.recogniser import Evidence, Recogniser, Recognition, decide
from personas.local.tokens import grams, marks
from personas.training.examples import Example

__all__ = ["Seen", "Trained", "fit", "see"]

#: An n-gram of a single line cannot be told from chance.
LEAST_LINES = 2
#: What a shape or a rule counts beside a line's n-grams, whose squares add up to one.
MARK = 0.4
#: Inverse strength of the penalty on weights, chosen by the folds.
FREEDOM = 10.0
SEED = 7

#: Until the folds have told: no danger by a threshold of its own, every guess counts as sure.
UNCALIBRATED = {
    "risk_threshold": 2.0,
    "threshold": 0.0,
    "calibration": {"weights": [0.0] * 6, "bias": 0.0},
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
    intents = sorted({line.example.intent for line in lines})
    topics = sorted({line.example.topic for line in lines if line.example.topic})
    topical = [number for number, line in enumerate(lines) if line.example.topic]
    weights, bias = _classifiers(x, [line.example.intent for line in lines], intents)
    more, more_bias = _classifiers(x[topical], [lines[i].example.topic for i in topical], topics)
    full = np.hstack([weights, more])
    scale = np.abs(full).max(axis=0) / 127
    arrays = {
        "tokens": np.frombuffer("\n".join(rows).encode(), np.uint8),
        "idf": idf.astype(np.float16),
        "weights": np.rint(full / scale).astype(np.int8),
        "scale": scale.astype(np.float32),
        "bias": np.concatenate([bias, more_bias]).astype(np.float32),
    }
    header = {"format": FORMAT, "intents": intents, "topics": topics, "pairs": _pairs(lines, intents), **UNCALIBRATED}
    return Trained(header, arrays)


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
    x: csr_matrix, labels: Sequence[str | None], classes: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit one against the rest for each class; a rare class counts as much as a frequent one."""
    weights, bias = [], []
    for wanted in classes:
        one = LogisticRegression(C=FREEDOM, solver="liblinear", class_weight="balanced", random_state=SEED)
        one.fit(x, [label == wanted for label in labels])
        weights.append(one.coef_[0])
        bias.append(one.intercept_[0])
    return np.array(weights).T, np.array(bias)


def _pairs(lines: Sequence[Seen], intents: Sequence[str]) -> dict[str, list[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.example.topic:
            found[line.example.intent].add(line.example.topic)
    return {intent: sorted(found[intent]) for intent in intents}
