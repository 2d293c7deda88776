"""The web process is dead for 3 minutes while 100 lines are said: each is stored once, none answered twice or late."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.acceptance.outage import Scene, Stored, few, keep_dead, scene
from tests.chaos.judge import Disturbance
from tests.chaos.plan import Line, undisturbed

LINES, DEAD_S = 100, 180.0
RECOVERED_S = 150.0
#: Lines older than this are not answered any more; an answer takes a moment on top.
FRESH_S = 300.0 + 10.0


def check(say: Callable[[str], None]) -> None:
    lines = undisturbed(seed=1, lines=LINES)
    with scene("outage-web", say) as on:
        on.begin(lines, rate=LINES / (DEAD_S - 10.0))
        outage = keep_dead(on.stack, "web", DEAD_S)
        on.talk.finish()
        missed = [line for line in on.talk.said() if not line.delivered]
        say(f"{len(on.talk.said())} lines said, {len(missed)} of them to nobody")
        assert len(missed) == LINES, "the door has answered while it was to be dead"
        stored = on.await_settled(lines, RECOVERED_S)
        on.await_quiet(RECOVERED_S)
        _assert_stored_once(lines, stored, say)
        _assert_no_wrong_answer(on, outage)


def _assert_stored_once(lines: Sequence[Line], stored: Mapping[str, Stored], say: Callable[[str], None]) -> None:
    wrong = {line.marker: stored[line.text].times for line in lines if line.text in stored}
    wrong = {marker: times for marker, times in wrong.items() if times != 1}
    absent = [line.marker for line in lines if line.text not in stored]
    assert not wrong, f"not stored once: {wrong}"
    assert not absent, f"{len(absent)} lines are not stored: {absent[:10]}"
    late = sum(1 for line in lines if stored[line.text].is_backfill)
    reasons = sorted({reason for line in lines for reason in stored[line.text].reasons})
    say(f"{late} lines were fetched from the callback log; reasons: {', '.join(reasons)}")
    assert late, "none was fetched from the callback log"


def _assert_no_wrong_answer(on: Scene, outage: Disturbance) -> None:
    verdict = on.verdict([outage])
    assert not verdict.doubled, f"answered twice: {few(verdict.doubled)}"
    assert not verdict.disordered, f"out of order: {few(verdict.disordered)}"
    assert not verdict.lost, f"lost: {few(verdict.lost)}"
    stale = on.answered_later_than(FRESH_S)
    assert not stale, f"answered when nobody waited for it any more: {stale[:5]}"
    on.say(f"{verdict.answered} answered, {len(verdict.open)} left open")
