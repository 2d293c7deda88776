"""The small model: one linear classifier per intent and topic over :mod:`personas.local.tokens`, read from arrays.

The arrays are made by ``python -m personas.training``. A line's probabilities are one sparse product of a few dozen
rows, without BLAS and its threads: some tens of microseconds, so that it runs in the middle of an event loop.
numpy is imported with the first model: most processes recognise nothing, and it takes 9 MB.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from personas.local.presets import load_intents
from personas.local.tokens import BEGIN, END, RULE, SHAPE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["ARRAYS", "DANGER", "FORMAT", "IntentModel", "Judgement", "Label", "ModelError"]

ARRAYS = Path(__file__).resolve().parent.parent / "data" / "intent_model.npz"

#: Changes with the meaning of the arrays or of the tokens.
FORMAT = 3

#: How much nearer to a border a line must lie to be e times as likely; chosen by the folds.
SHARPNESS = 6.0

#: Intent and topic; without a topic, the intent's lines that belong to no scene.
Label = tuple[str, str | None]

#: Not a label but the border between what a person has to see at once and everything else.
DANGER: Label = ("", None)


class ModelError(ValueError):
    """The arrays cannot be used; the message says why and how to make new ones."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the model thinks of a line: the shares of labels, and of intents, each adding up to 1.

    ``margins`` are the labels' distances from their borders, positive inside: unlike shares they are low
    throughout when a line says nothing that is known. ``danger`` is the distance from a border of its own, between
    dangers and everything else. ``tokens`` are the rows that were found with what each counts.
    """

    labels: Mapping[Label, float]
    intents: Mapping[str, float]
    margins: Mapping[Label, float]
    danger: float
    tokens: Sequence[tuple[int, float]]


class IntentModel:
    """``header`` describes the arrays: format, labels, calibration, thresholds."""

    def __init__(self, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        import numpy as np

        if header.get("format") != FORMAT:
            raise ModelError(f"intent model: format {header.get('format')!r} instead of {FORMAT}; train it anew")
        self.header = header
        self.labels: list[Label] = [(intent, topic) for intent, topic in header["labels"]]
        self.intents = sorted({intent for intent, _ in self.labels})
        #: Intent -> the topics that its lines may have; without any, the intent stands alone.
        self.topics = {own: [t for intent, t in self.labels if intent == own and t] for own in self.intents}
        self._names = bytes(arrays["tokens"]).decode().split("\n")
        self._rows = {token: row for row, token in enumerate(self._names)}
        #: The last column is that of danger.
        self._columns = {label: column for column, label in enumerate([*self.labels, DANGER])}
        self._idf: list[float] = arrays["idf"].astype(np.float32).tolist()
        self._weights: NDArray[np.int8] = arrays["weights"]
        self._scale: Floats = arrays["scale"]
        self._bias: Floats = arrays["bias"]
        self._check()

    def _check(self) -> None:
        expected = (len(self._names), len(self._columns))
        if self._weights.shape != expected or len(self._idf) != expected[0] or self._bias.shape != expected[1:]:
            raise ModelError(f"intent model: weights of {self._weights.shape} do not fit {expected}; train it anew")
        unknown = {*self.intents} ^ {intent.key for intent in load_intents()}
        if unknown:
            raise ModelError(f"intent model: labels that do not fit: {', '.join(sorted(unknown))}; train it anew")

    @classmethod
    def load(cls, path: Path = ARRAYS) -> IntentModel:
        """Read the arrays; raises :class:`ModelError` when they are damaged or their labels do not fit."""
        import numpy as np

        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            return cls(json.loads(bytes(arrays.pop("header"))), arrays)
        except ModelError:
            raise
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ModelError(f"intent model: {path.name} cannot be read: {error}") from error

    def judge(self, grams: Mapping[str, float], marks: Mapping[str, float]) -> Judgement:
        """Return the probabilities for a line's tokens; unknown tokens count nothing."""
        import numpy as np

        tokens = self._weighed(grams)
        tokens += [
            (row, by * self._idf[row]) for mark, by in marks.items() if (row := self._rows.get(mark)) is not None
        ]
        rows = np.array([row for row, _ in tokens], np.intp)
        by = np.array([value for _, value in tokens], np.float32)
        sums = (self._weights[rows] * by[:, None]).sum(axis=0) * self._scale + self._bias
        scores, danger = sums[:-1], float(sums[-1])
        shares = np.exp(SHARPNESS * (scores - scores.max()))
        labels = dict(zip(self.labels, (shares / shares.sum()).tolist(), strict=True))
        intents = dict.fromkeys(self.intents, 0.0)
        for (intent, _), share in labels.items():
            intents[intent] += share
        return Judgement(labels, intents, dict(zip(self.labels, scores.tolist(), strict=True)), danger, tokens)

    def _weighed(self, grams: Mapping[str, float]) -> list[tuple[int, float]]:
        """Return the rows of known n-grams with what each counts; the squares add up to one."""
        found = [(self._rows[gram], count) for gram, count in grams.items() if gram in self._rows]
        values = [self._idf[row] if count == 1 else (1 + math.log(count)) * self._idf[row] for row, count in found]
        norm = math.sqrt(sum([value * value for value in values])) or 1.0
        return [(row, value / norm) for (row, _), value in zip(found, values, strict=True)]

    def reasons(self, judgement: Judgement, label: Label, most: int = 4) -> list[str]:
        """Return the n-grams (else the rules and shapes) that spoke most for a label, or for danger."""
        weights = self._weights[[row for row, _ in judgement.tokens], self._columns[label]].tolist()
        counted = zip(weights, judgement.tokens, strict=True)
        spoke = sorted([(weight * by, row) for weight, (row, by) in counted if weight * by > 0], reverse=True)
        names = [self._names[row] for _, row in spoke]
        said = (name.strip(BEGIN + END) for name in names if not name.startswith((SHAPE, RULE)))
        return _without_parts(said, most) or [name.lstrip(SHAPE + RULE) for name in names[:most]]


def _without_parts(grams: Iterable[str], most: int) -> list[str]:
    """Leave out n-grams that are part of a stronger one."""
    kept: list[str] = []
    for gram in grams:
        if gram.strip() and not any(gram in other for other in kept):
            kept.append(gram)
            if len(kept) == most:
                break
    return kept
