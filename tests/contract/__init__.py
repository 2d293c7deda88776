"""What the platform sends and answers, quoted from ``worktool-api.md``: the one truth for gateway and simulator.

Every ``*.json`` here is a list of samples; ``source`` names the section that a sample quotes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

FOLDER = Path(__file__).parent
JSON = "application/json"


@dataclass(frozen=True)
class Sample:
    """One quoted body; ``status`` is the HTTP status of a reply."""

    name: str
    source: str
    body: Any
    content_type: str = JSON
    status: int = 200
    note: str = ""

    def encoded(self) -> bytes:
        """Return the bytes on the wire."""
        if self.content_type == JSON:
            return json.dumps(self.body, ensure_ascii=False).encode()
        return urlencode(self.body).encode()


def groups() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def samples(group: str) -> dict[str, Sample]:
    """Return the samples of one file by name."""
    rows = [Sample(**row) for row in json.loads((FOLDER / f"{group}.json").read_text("utf-8"))]
    return {row.name: row for row in rows}


def sample(group: str, name: str) -> Sample:
    return samples(group)[name]
