"""Redis, then PostgreSQL, stopped for 60 s under 50 lines a second: what got a 200 is handled once and in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from tests.acceptance.outage import Scene, Stored, few, keep_dead, keep_hung, scene
from tests.chaos.judge import Disturbance
from tests.chaos.plan import Line, undisturbed

RATE, STOPPED_S, BEFORE_S, BETWEEN_S = 50.0, 60.0, 10.0, 20.0
DRAIN_S = 300.0
READY_S = 60.0
#: Handled, but without an answer: it would have come too late.
STALE = frozenset({"stale_line", "stale_reply"})


def check(say: Callable[[str], None]) -> None:
    _check_outage(say, keep_hung, "hung")
    _check_outage(say, keep_dead, "dead")


def _check_outage(say: Callable[[str], None], keep: Callable[..., Disturbance], how: str) -> None:
    seconds = BEFORE_S + 2 * (STOPPED_S + BETWEEN_S)
    lines = undisturbed(seed=2, lines=int(RATE * seconds))
    with scene(f"outage-{how}", say, pace_s=0.0) as on:
        before = on.ours()
        speaking = on.begin(lines, RATE)
        outages = []
        time.sleep(BEFORE_S)
        for role in ("redis", "postgres"):
            outages.append(keep(on.stack, role, STOPPED_S))
            say(f"{role} was {how} for {STOPPED_S:.0f} s")
            time.sleep(BETWEEN_S)
        speaking.join()
        on.talk.finish()
        _assert_handled(on, lines, outages)
        assert on.ours() == before, f"restarted: {len(on.ours() - before)} of {len(before)} processes"
        assert on.becomes_ready(READY_S), "/readyz does not say ok again"


def _assert_handled(on: Scene, lines: Sequence[Line], outages: Sequence[Disturbance]) -> None:
    said = {line.marker: line for line in on.talk.said()}
    taken = [line for line in lines if said[line.marker].delivered]
    on.say(f"{len(lines)} lines said, {len(taken)} taken by the door")
    stored = on.await_settled(taken, DRAIN_S)
    _assert_settled_once(taken, stored)
    on.await_quiet(DRAIN_S)
    verdict = on.verdict(outages)
    assert not verdict.doubled, f"answered twice: {few(verdict.doubled)}"
    assert not verdict.disordered, f"out of order: {few(verdict.disordered)}"
    texts = {line.marker: line.text for line in taken}
    silent = [finding.line.marker for finding in verdict.lost if finding.line.marker in texts]
    wrong = [marker for marker in silent if not stored[texts[marker]].reasons <= STALE]
    assert not wrong, f"{len(wrong)} lines that got a 200 have no answer: {wrong[:10]}"
    on.say(f"{verdict.answered} answered, each once and in order; {len(silent)} too late to be answered")


def _assert_settled_once(taken: Sequence[Line], stored: Mapping[str, Stored]) -> None:
    absent = [line.marker for line in taken if line.text not in stored]
    assert not absent, f"{len(absent)} lines got a 200 and are not stored: {absent[:10]}"
    twice = [line.marker for line in taken if stored[line.text].times != 1]
    assert not twice, f"not stored once: {twice[:10]}"
    unsettled = [line.marker for line in taken if "" in stored[line.text].reasons]
    assert not unsettled, f"{len(unsettled)} lines have no reason: {unsettled[:10]}"
