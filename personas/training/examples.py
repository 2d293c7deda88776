"""The examples from which the small model learns: ``personas/data/examples/*.txt``, their folds and their digest."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from personas.local.normalise import normalise
from personas.local.rules import RULES_FOLDER

__all__ = ["EXAMPLES", "Example", "ExampleError", "digest", "families", "folds", "load_examples"]

EXAMPLES = Path(__file__).resolve().parent.parent / "data" / "examples"

#: Lines that share this much of their pairs of characters are one family: they are learned or asked together.
KINSHIP = 0.3


class ExampleError(ValueError):
    """An example cannot be used; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Example:
    """``topic`` None: the line teaches its intent only."""

    text: str
    intent: str
    topic: str | None


def load_examples(folder: Path = EXAMPLES) -> list[Example]:
    """Read all ``*.txt`` of a folder in file order; raises :class:`ExampleError`."""
    found: dict[str, Example] = {}
    for path in sorted(folder.glob("*.txt")):
        for number, example in _read(path):
            if example.text in found:
                raise ExampleError(f"{path.name}:{number}: this line stands in the examples already")
            found[example.text] = example
    return list(found.values())


def _read(path: Path) -> Iterator[tuple[int, Example]]:
    intent: str | None = None
    topic: str | None = None
    for number, line in enumerate(map(str.strip, path.read_text(encoding="utf-8").splitlines()), 1):
        if line.startswith("# intent:"):
            intent = line.partition(":")[2].strip()
        elif line.startswith("# topic:"):
            topic = line.partition(":")[2].strip() or None
        elif line and not line.startswith("#"):
            if intent is None:
                raise ExampleError(f"{path.name}:{number}: `# intent: …` must stand above the first line")
            yield number, Example(line, intent, topic)


def digest(examples: Path = EXAMPLES, rules: Path = RULES_FOLDER) -> str:
    """Return the SHA-256 of all that the model learns from: examples and seeded rules."""
    sha = hashlib.sha256()
    for path in (*sorted(examples.glob("*.txt")), *sorted(rules.glob("*.yaml"))):
        sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()


def families(texts: Sequence[str]) -> list[int]:
    """Number each line's family: lines that share :data:`KINSHIP` of their pairs, also by way of a third."""
    pairs = [_pairs(normalise(text, join=True)) for text in texts]
    parents = list(range(len(texts)))

    def root(number: int) -> int:
        while parents[number] != number:
            number = parents[number]
        return number

    seen: defaultdict[str, list[int]] = defaultdict(list)
    for number, own in enumerate(pairs):
        for other, shared in Counter(other for pair in own for other in seen[pair]).items():
            if shared >= KINSHIP * len(own | pairs[other]):
                parents[root(number)] = root(other)
        for pair in own:
            seen[pair].append(number)
    return [root(number) for number in range(len(texts))]


def _pairs(line: str) -> frozenset[str]:
    return frozenset(line[i : i + 2] for i in range(len(line) - 1)) or frozenset({line})


def folds(examples: Sequence[Example], count: int) -> list[int]:
    """Give each example a fold; families stay together, and each label is spread over all folds."""
    members: defaultdict[int, list[int]] = defaultdict(list)
    for number, family in enumerate(families([example.text for example in examples])):
        members[family].append(number)
    of: dict[int, int] = {}
    used: defaultdict[tuple[str, str | None], Counter[int]] = defaultdict(Counter)
    for numbers in sorted(members.values(), key=lambda m: (-len(m), m)):
        first = examples[numbers[0]]
        taken = used[first.intent, first.topic]
        fold = min(range(count), key=lambda f: (taken[f], f))
        taken[fold] += len(numbers)
        of.update(dict.fromkeys(numbers, fold))
    return [of[number] for number in range(len(examples))]
