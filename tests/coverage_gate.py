"""Fails a run with COVERAGE_GATE=1 in which an app has less than 85 % branch coverage.

A plugin rather than a second command, so that pytest's own summary stays the last line of ``make test``.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest
from _pytest.terminal import TerminalReporter

APPS = ("worktool_ai", "flows", "personas", "templates_lib", "alerts", "monitoring", "robots")
FLOOR_PERCENT = 85.0
_results = pytest.StashKey[dict[str, float]]()


def _percentages(root: Path) -> dict[str, float]:
    """Return the coverage of each app in percent, lines and branches together, from the combined data file."""
    measured = coverage.Coverage(config_file=str(root / "pyproject.toml"), data_file=str(root / ".coverage"))
    measured.load()
    return {app: _percentage(measured, root / app) for app in APPS}


def _percentage(measured: coverage.Coverage, folder: Path) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        try:
            measured.json_report(outfile=str(report), include=[f"{folder}/*"])
        except coverage.exceptions.NoDataError:
            return 0.0
        return float(json.loads(report.read_text(encoding="utf-8"))["totals"]["percent_covered"])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("COVERAGE_GATE") != "1" or hasattr(session.config, "workerinput"):
        return
    results = _percentages(session.config.rootpath)
    session.config.stash[_results] = results
    if min(results.values()) < FLOOR_PERCENT and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> Iterator[None]:
    yield
    results = config.stash.get(_results, None)
    if results is None:
        return
    terminalreporter.section(f"branch coverage per app (at least {FLOOR_PERCENT:.0f} %)")
    for app, percent in results.items():
        verdict = "ok" if percent >= FLOOR_PERCENT else "TOO LOW"
        terminalreporter.line(f"{app:15} {percent:6.1f} %  {verdict}")
