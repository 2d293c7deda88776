"""All cloud models dead in different ways, 500 lines with intent and reply: every one is answered inside 8 s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tests.acceptance.alone import run_alone

#: Refused, hanging, HTTP 500, HTTP 401: what we call them.
DEATHS = ("unreachable", "timeout", "overloaded", "auth")
LINES = 500
DEADLINE_S = 8.0
APOLOGIES = 0.10


def check(say: Callable[[str], None]) -> None:
    _judge(run_alone("tests.measure.dead_models", LINES, DEADLINE_S), say)


def _judge(report: Mapping[str, Any], say: Callable[[str], None]) -> None:
    calls, slowest = report["calls"], sorted(report["seconds"])
    inside = sum(seconds <= DEADLINE_S for seconds in slowest)
    say(f"{len(slowest)} answers of {LINES} lines: {inside / len(slowest):.1%} inside {DEADLINE_S:g} s; "
        f"P50 {slowest[len(slowest) // 2]:.2f} s, slowest {slowest[-1]:.2f} s")  # fmt: skip
    for how, count in sorted(Counter(report["ways"]).items()):
        say(f"{how}: {count} ({count / LINES:.1%})")
    say(f"calls: {', '.join(f'{name} {count}' for name, count in sorted(calls.items()))}")
    say(f"passed over: {', '.join(f'{name} {count}' for name, count in sorted(report['passed_over'].items()))}")
    assert len(slowest) == 2 * LINES, "not every line was answered"
    assert inside == len(slowest), f"{len(slowest) - inside} answers took longer than {DEADLINE_S:g} s"
    missing = [kind for kind in DEATHS if f"dead {kind}" not in calls]
    assert not missing, f"these deaths were never met: {missing}"
    apologies = report["ways"].count("apology only") / LINES
    assert apologies <= APOLOGIES, f"{apologies:.1%} were apologies only"
