"""1000 replies of a model that takes 2 s, in one process, at once: what it costs, and that none waits for a slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.acceptance.alone import run_alone

CALLS, LATENCY_S = 1000, 2.0
LONGEST_WAIT_S = 1.0


def check(say: Callable[[str], None]) -> None:
    _judge(run_alone("tests.measure.in_flight", CALLS, LATENCY_S), say)


def _judge(report: Mapping[str, Any], say: Callable[[str], None]) -> None:
    say(
        f"{report['answered']} of {CALLS} answered by the model in {report['wall_s']:.2f} s; "
        f"at most {report['max_in_flight']} in flight at the model"
    )
    say(
        f"CPU {report['cpu_s']:.2f} s ({report['cpu_s'] / CALLS * 1000:.2f} ms a call), "
        f"memory {report['rss_mb']:.0f} MB ({report['grown_mb']:+.0f} MB by the calls), {report['threads']} threads"
    )
    say(f"wait before the model was asked: P50 {report['wait_p50_s']:.3f} s, longest {report['wait_s']:.3f} s")
    assert report["answered"] == CALLS, "not every call was answered by the model"
    assert report["max_in_flight"] == CALLS, "they were not in flight at the same time"
    assert report["wait_s"] <= LONGEST_WAIT_S, f"a call waited {report['wait_s']:.2f} s"
