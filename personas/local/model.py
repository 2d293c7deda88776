"""The small model: linear classifiers of intents and topics over :mod:`personas.local.tokens`, read from arrays.

The arrays are made by ``python -m personas.training``. A line's probabilities are one sparse product of a few dozen
rows, without BLAS and its threads: some tens of microseconds, so that it runs in the middle of an event loop.
numpy is imported with the first model: most processes recognise nothing, and it takes 9 MB.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from personas.local.presets import load_intents
from personas.local.tokens import RULE, SHAPE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["ARRAYS", "FORMAT", "IntentModel", "Judgement", "ModelError"]

ARRAYS = Path(__file__).resolve().parent.parent / "data" / "intent_model.npz"

#: Changes with the meaning of the arrays or of the tokens.
FORMAT = 1


class ModelError(ValueError):
    """The arrays cannot be used; the message says why and how to make new ones."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the model thinks of a line: the shares of intents and of topics, each adding up to 1.

    ``odds`` are the intents' probabilities each for itself, for a question such as "is it a danger?".
    """

    odds: Mapping[str, float]
    intents: Mapping[str, float]
    topics: Mapping[str, float]
    tokens: Sequence[tuple[int, float]]


class IntentModel:
    """``header`` describes the arrays: format, labels, pairs, calibration, thresholds."""

    def __init__(self, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        import numpy as np

        if header.get("format") != FORMAT:
            raise ModelError(f"intent model: format {header.get('format')!r} instead of {FORMAT}; train it anew")
        self.header = header
        self.intents: list[str] = header["intents"]
        self.topics: list[str] = header["topics"]
        #: Intent -> the topics that its lines may have; without any, the intent stands alone.
        self.pairs: dict[str, list[str]] = header["pairs"]
        self._names = bytes(arrays["tokens"]).decode().split("\n")
        self._rows = {token: row for row, token in enumerate(self._names)}
        self._idf = arrays["idf"].astype(np.float32)
        self._weights: Floats = arrays["weights"].astype(np.float32) * arrays["scale"]
        self._bias: Floats = arrays["bias"]
        self._check()

    def _check(self) -> None:
        expected = (len(self._names), len(self.intents) + len(self.topics))
        if self._weights.shape != expected or self._idf.shape != expected[:1] or self._bias.shape != expected[1:]:
            raise ModelError(f"intent model: weights of {self._weights.shape} do not fit {expected}; train it anew")
        named = {topic for topics in self.pairs.values() for topic in topics}
        unknown = {*self.pairs} ^ {*self.intents} | named ^ {*self.topics}
        unknown |= {*self.intents} - {intent.key for intent in load_intents()}
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

        known = [(self._rows[gram], 1 + math.log(count)) for gram, count in grams.items() if gram in self._rows]
        values = [(row, weight * float(self._idf[row])) for row, weight in known]
        norm = math.sqrt(sum(value * value for _, value in values)) or 1.0
        tokens = [(row, value / norm) for row, value in values]
        tokens += [(self._rows[m], by * float(self._idf[self._rows[m]])) for m, by in marks.items() if m in self._rows]
        rows = np.fromiter((row for row, _ in tokens), np.intp, len(tokens))
        by = np.fromiter((value for _, value in tokens), np.float32, len(tokens))
        scores = (self._weights[rows] * by[:, None]).sum(axis=0) + self._bias
        odds = 1 / (1 + np.exp(-scores))
        cut = len(self.intents)
        alone = dict(zip(self.intents, map(float, odds[:cut]), strict=True))
        intents = dict(zip(self.intents, _shares(odds[:cut]), strict=True))
        return Judgement(alone, intents, dict(zip(self.topics, _shares(odds[cut:]), strict=True)), tokens)

    def reasons(self, judgement: Judgement, label: str, most: int = 4) -> list[str]:
        """Return the n-grams (else the rules and shapes) that spoke most for an intent or a topic."""
        column = self.intents.index(label) if label in self.intents else len(self.intents) + self.topics.index(label)
        spoke = sorted(((float(self._weights[row, column]) * by, row) for row, by in judgement.tokens), reverse=True)
        names = [self._names[row] for weight, row in spoke if weight > 0]
        said = [name for name in names if not name.startswith((SHAPE, RULE))]
        return _without_parts(said, most) or [name.lstrip(SHAPE + RULE) for name in names[:most]]


def _shares(odds: Floats) -> list[float]:
    total = float(odds.sum()) or 1.0
    return [float(value) / total for value in odds]


def _without_parts(grams: Sequence[str], most: int) -> list[str]:
    """Leave out n-grams that are part of a stronger one."""
    kept: list[str] = []
    for gram in grams:
        if len(kept) < most and gram.strip() and not any(gram in other for other in kept):
            kept.append(gram)
    return kept
