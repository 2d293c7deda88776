"""Figures of a recogniser on labelled lines, as ``manage.py evaluate_intents`` and training report them.

A label is ``intent`` or ``intent/topic``; a line is judged at its label's depth. Abstained means predicted
``unclear``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from personas.local.recogniser import UNCLEAR, Recognition

__all__ = ["at_depth", "figures"]

Pair = tuple[str, str]


def at_depth(label: str, found: Recognition) -> str:
    """Return what was found as a label of the same depth as ``label``."""
    return f"{found.intent}/{found.topic}" if "/" in label and found.topic else found.intent


def figures(pairs: Iterable[Pair]) -> dict[str, Any]:
    """Return the figures for (label, predicted at the label's depth).

    ``macro_f1`` counts abstained lines as misses of recall, ``macro_f1_answered`` leaves them out; both are over
    the labels present except ``unclear``. ``wrong_share`` is over all lines, also those that are really unclear.
    """
    said = list(pairs)
    meant = [(label, predicted) for label, predicted in said if label != UNCLEAR]
    answered = [(label, predicted) for label, predicted in said if predicted != UNCLEAR]
    labels = sorted({label for label, _ in meant})
    per_class = {label: _class(label, said) for label in labels}
    among_answered = {label: _class(label, answered) for label in labels}
    wrong = sum(label != predicted for label, predicted in answered)
    confusion: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for label, predicted in said:
        confusion[label][predicted] += 1
    return {
        "n": len(said),
        "macro_f1": _mean(row["f1"] for row in per_class.values()),
        "macro_f1_answered": _mean(row["f1"] for row in among_answered.values()),
        "abstention": _share(sum(predicted == UNCLEAR for _, predicted in meant), len(meant)),
        "wrong_share": _share(wrong, len(said)),
        "per_class": per_class,
        "confusion": {label: dict(counts.most_common()) for label, counts in sorted(confusion.items())},
    }


def _class(label: str, pairs: list[Pair]) -> dict[str, float]:
    there = sum(meant == label for meant, _ in pairs)
    claimed = sum(predicted == label for _, predicted in pairs)
    right = sum(meant == predicted == label for meant, predicted in pairs)
    precision, recall = _share(right, claimed), _share(right, there)
    f1 = _share(2 * right, there + claimed)
    return {"n": there, "precision": precision, "recall": recall, "f1": f1}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return round(sum(listed) / len(listed), 4) if listed else 0.0
