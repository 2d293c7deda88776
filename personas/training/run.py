"""One training: folds, thresholds, calibration, the final arrays, and the figures that lines out of fold give."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from personas.local.combined import RISK, SHADED, Guess, conclude, danger, guess, outcome, signals
from personas.local.model import IntentModel
from personas.local.recogniser import UNCLEAR, Recogniser
from personas.local.rules import fingerprint, load_rules
from personas.local.scores import at_depth, figures
from personas.training.examples import Example, digest, folds, load_examples
from personas.training.fit import Seen, Trained, fit, see

__all__ = ["COMMAND", "FOLDS", "Training", "arrays_sha256", "train"]

COMMAND = "python -m personas.training"

FOLDS = 5
#: A wrong answer costs more than asking back: what is less sure is asked back or left to people.
THRESHOLD = 0.64
#: Share of the other examples that may alarm. Two in five of them were written to sound like dangers: ordinary lines
#: alarm less than half as often.
FALSE_ALARMS = 0.0115


@dataclass(frozen=True, slots=True)
class Training:
    """``arrays`` is what is stored, ``report`` what is said of it."""

    arrays: dict[str, NDArray[Any]]
    report: dict[str, Any]


def train() -> Training:
    """Train on all examples with the seeded rules; the same files give the same arrays."""
    examples, rules = load_examples(), load_rules()
    # what is empty without its emoji is unclear by rule and teaches nothing
    lines = [line for line in see(examples, Recogniser(rules)) if line.evidence.line]
    fold_of = folds([line.example for line in lines], FOLDS)
    parts = [fit([line for line, fold in zip(lines, fold_of, strict=True) if fold != out]) for out in range(FOLDS)]
    models = [part.model() for part in parts]
    guesses = [_guess(models[fold], line) for fold, line in zip(fold_of, lines, strict=True)]
    settings: dict[str, Any] = {
        "risk_threshold": _risk_threshold(lines, guesses),
        "threshold": THRESHOLD,
        "calibration": _calibrate(models, fold_of, lines, guesses),
    }
    settings["rules"] = sorted(fingerprint(rule) for rule in rules)
    stored = fit(lines).stored(**settings)
    report = _report(parts, settings, fold_of, lines) | {"arrays_sha256": arrays_sha256(stored)}
    return Training(stored, {"command": COMMAND, "learned_from_sha256": digest(), "folds": FOLDS, **report})


def _guess(model: IntentModel, line: Seen) -> Guess:
    return guess(model, line.example.text, line.evidence, line.verdict)


def _label(example: Example) -> str:
    return f"{example.intent}/{example.topic}" if example.topic and example.intent != UNCLEAR else example.intent


def _right(example: Example, found: Guess) -> bool:
    return found.intent == example.intent and (found.intent in SHADED or example.topic in (None, found.topic))


def _risk_threshold(lines: Sequence[Seen], guesses: Sequence[Guess]) -> float:
    """Return the margin from which a line alarms: :data:`FALSE_ALARMS` of the lines that are none do."""
    others = [
        danger(found.judgement, line.evidence)
        for line, found in zip(lines, guesses, strict=True)
        if line.example.intent != RISK
    ]
    return round(float(np.quantile(others, 1 - FALSE_ALARMS)), 4)


def _calibrate(
    models: Sequence[IntentModel], fold_of: Sequence[int], lines: Sequence[Seen], guesses: Sequence[Guess]
) -> dict[str, Any]:
    """Fit how often a guess is right to its signals, on lines that its model had not seen."""
    x = [signals(models[f], g, line.verdict) for f, g, line in zip(fold_of, guesses, lines, strict=True)]
    right = [_right(line.example, found) for line, found in zip(lines, guesses, strict=True)]
    outcomes = sorted({outcome(found) for found in guesses})
    chosen = np.array([[outcome(found) == name for name in outcomes] for found in guesses], float)
    fitted = LogisticRegression(C=1.0, solver="liblinear", fit_intercept=False, random_state=0)
    fitted.fit(np.hstack([x, chosen]), right)
    weights = [round(float(weight), 4) for weight in fitted.coef_[0]]
    split = len(weights) - len(outcomes)
    return {"weights": weights[:split], "outcomes": dict(zip(outcomes, weights[split:], strict=True))}


def _report(
    parts: Sequence[Trained], settings: dict[str, Any], fold_of: Sequence[int], lines: Sequence[Seen]
) -> dict[str, Any]:
    models = [part.model(**settings) for part in parts]
    said = []
    for fold, line in zip(fold_of, lines, strict=True):
        found = conclude(models[fold], line.example.text, line.evidence, line.verdict)
        said.append((_label(line.example), found))
    scored = figures((label, at_depth(label, found)) for label, found in said)
    intents = figures((label.partition("/")[0], found.intent) for label, found in said)
    scored.pop("confusion")
    return {
        "examples": len(lines),
        "out_of_fold": scored,
        "out_of_fold_intents": {**intents, "confusion": intents["confusion"]},
        "confidence": _bands(said),
        "risk_threshold": settings["risk_threshold"],
    }


def _bands(said: Sequence[tuple[str, Any]]) -> dict[str, dict[str, float]]:
    """Claimed confidence against the share that was right, of the answered lines."""
    bands: dict[str, list[tuple[float, bool]]] = {}
    for label, found in said:
        if found.intent != UNCLEAR:
            low = min(int(found.confidence * 10), 9) / 10
            right = at_depth(label, found) == label
            bands.setdefault(f"{low:.1f}", []).append((found.confidence, right))
    return {
        low: {
            "n": len(rows),
            "claimed": round(sum(claimed for claimed, _ in rows) / len(rows), 3),
            "right": round(sum(right for _, right in rows) / len(rows), 3),
        }
        for low, rows in sorted(bands.items())
    }


def arrays_sha256(arrays: dict[str, NDArray[Any]]) -> str:
    """Return the digest of arrays as they are written: names, shapes and bytes."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        sha.update(name.encode() + str(arrays[name].shape).encode() + arrays[name].tobytes())
    return sha.hexdigest()
