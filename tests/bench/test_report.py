"""bench.json as scripts read it, and when a target counts as met."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.bench import report
from tests.bench.history import ROW as HISTORY
from tests.bench.measures import GROUPS, percentile
from tests.bench.plot import svg
from tests.bench.rows import ROWS, Result

NAMES = [
    "throughput_inprocess",
    "throughput_sdk",
    "cpu_ms_inprocess",
    "cpu_ms_sdk",
    "cpu_ms_postgres",
    "callback_p99_ms_300",
    "callback_p95_ms_100",
    "callback_burst_s",
    "engine_p95_ms",
    "two_calls_open_p95_s",
    "two_calls_burst_p95_s",
    "commits_lone",
    "statements_lone",
    "commits_load",
    "statements_load",
    "memory_pss_mb",
    "history_ratio",
]


def result(name: str, runs: list[float], floors: list[float] | None = None) -> Result:
    return Result(ROWS[name], 100, runs, floors or [], [50.0] * len(runs))


def test_every_row_has_a_way_to_be_measured_and_the_published_name() -> None:
    assert list(ROWS) == NAMES
    assert sorted([*(name for names in GROUPS.values() for name in names), HISTORY]) == sorted(NAMES)


def test_a_row_as_scripts_read_it() -> None:
    assert result("throughput_inprocess", [420.0, 500.04, 300.0], [1000.0, 800.0, 750.0]).as_json() == {
        "name": "throughput_inprocess",
        "unit": "messages/s",
        "value": 420.0,
        "floor": 800.0,
        "ratio": 0.42,
        "target": ">= 400, >= 0.4 of the floor",
        "met": True,
        "n": 100,
        "runs": [420.0, 500.0, 300.0],
    }


@pytest.mark.parametrize(
    ("name", "runs", "floors", "met"),
    [
        ("throughput_inprocess", [500.0], [1300.0], False),  # fast enough, but not for this machine
        ("throughput_inprocess", [399.0], [500.0], False),
        ("throughput_inprocess", [500.0], None, False),
        ("callback_p99_ms_300", [100.0], None, False),
        ("callback_p95_ms_100", [10.0], None, True),
        ("history_ratio", [1.3, 1.1, 1.2], None, True),
    ],
)
def test_when_a_target_is_met(name: str, runs: list[float], floors: list[float] | None, met: bool) -> None:
    assert result(name, runs, floors).met is met


def test_the_document_names_commit_and_machine() -> None:
    told = report.document([result("memory_pss_mb", [512.0])], 12.34)
    assert (told["version"], told["seconds"], [row["name"] for row in told["rows"]]) == (1, 12.3, ["memory_pss_mb"])
    assert set(told["machine"]) == {"cores", "cpu", "memory_mb", "python"}
    assert len(told["commit"].removesuffix("-dirty")) == 40


def test_the_plot_shows_every_row() -> None:
    drawn = ElementTree.fromstring(svg([result(name, [1.0]) for name in NAMES], "a <b> & c"))
    texts = [element.text for element in drawn.iter() if element.tag.endswith("text")]
    assert set(NAMES) <= set(texts)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert (percentile(values, 0.95), percentile(values, 0.99), percentile([7.0], 0.95)) == (95.0, 99.0, 7.0)
