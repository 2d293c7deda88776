"""The held-out lines, timed: figures of the local recogniser, its latency and how long it takes to load."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

LINES = Path("tests/intents")
FILES = (
    "held_out.jsonl",
    "must_reach_human.jsonl",
    "held_out_2.jsonl",
    "must_reach_human_2.jsonl",
    "must_reach_human_3.jsonl",
    "must_reach_human_4.jsonl",
    "must_reach_human_5.jsonl",
)

P95_MS = 10
LOAD_S = 1


def check(say: Callable[[str], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            report = _evaluate(LINES / name, Path(folder) / "report.json")
            told = ("n", "macro_f1", "macro_f1_answered", "abstention", "wrong_share", "p95_ms", "load_s")
            say(f"{name}: " + ", ".join(f"{key} {report[key]}" for key in told))
            say(f"{name}: recall of risk {report['per_class']['risk']['recall']}")
            assert report["p95_ms"] <= P95_MS, f"{name}: {report['p95_ms']} ms for a line"
            assert report["load_s"] <= LOAD_S, f"{name}: {report['load_s']} s to load"


def _evaluate(lines: Path, out: Path) -> dict[str, Any]:
    command = [sys.executable, "manage.py", "evaluate_intents", str(lines), "--json", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return report
