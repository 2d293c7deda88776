"""What the bench tells: a table while it runs, bench.json and bench.svg at the root of the checkout."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.plot import svg
from tests.bench.rows import ROWS, Result
from worktool_ai.supervisor.environment import ROOT

__all__ = ["JSON_FILE", "PLOT_FILE", "document", "header", "line", "write"]

JSON_FILE = ROOT / "bench.json"
PLOT_FILE = ROOT / "bench.svg"
VERSION = 1
NAME_WIDTH = max(map(len, ROWS))


def header() -> str:
    return (
        f"{'row':{NAME_WIDTH}} {'value':>9} {'unit':18} {'floor':>8} {'ratio':>6}  {'target':28} {'met':4}"
        f" {'n':>5} {'yardstick':>9}  runs"
    )


def line(result: Result) -> str:
    """Return one row of the table; ``yardstick`` is the CPU time of a fixed job at that moment, in milliseconds."""
    row, floor, ratio = result.row, result.floor, result.ratio
    return (
        f"{row.name:{NAME_WIDTH}} {result.value:9.4g} {row.unit:18} {'-' if floor is None else f'{floor:.4g}':>8}"
        f" {'-' if ratio is None else f'{ratio:.2f}':>6}  {row.target:28} {'yes' if result.met else 'NO':4}"
        f" {result.n:5} {statistics.median(result.yardsticks):6.0f} ms  {' '.join(f'{run:.4g}' for run in result.runs)}"
    )


def document(results: Sequence[Result], seconds: float) -> dict[str, Any]:
    """Return bench.json's object."""
    return {
        "version": VERSION,
        "commit": _commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "cpu": _first("/proc/cpuinfo", "model name"),
            "memory_mb": int(_first("/proc/meminfo", "MemTotal").split()[0]) // 1024,
            "python": platform.python_version(),
        },
        "seconds": round(seconds, 1),
        "rows": [result.as_json() for result in results],
    }


def write(results: Sequence[Result], seconds: float) -> None:
    """Write the JSON and the plot."""
    told = document(results, seconds)
    JSON_FILE.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    PLOT_FILE.write_text(
        svg(results, f"{told['commit'][:10]} · {told['at']} · {told['machine']['cpu']}"), encoding="utf-8"
    )


def _commit() -> str:
    """Return the commit that was measured, marked when files differ from it."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    differs = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT, check=False).returncode == 1
    return (commit.stdout.strip() or "unknown") + ("-dirty" if differs else "")


def _first(path: str, name: str) -> str:
    """Return the value of the first ``name: value`` line of a file of /proc."""
    for text in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = text.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
