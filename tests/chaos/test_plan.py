"""What a seed draws: the same each time, everything that is promised, nothing that would blame the product."""

from __future__ import annotations

from collections import Counter

import pytest

from robots.simulator.faults import Faults
from tests.chaos.plan import AIMED_ROLES, COMMON, EVERYTHING, FULL, PER_ROLE, RARE, ROLES, STOP_S, draw

FULL_LINES = 2000


@pytest.fixture(params=[1, 7, 4711])
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_the_same_seed_draws_the_same_and_another_one_something_else(seed: int) -> None:
    assert draw(seed, 100, 5) == draw(seed, 100, 5)
    assert draw(seed, 100, 5).lines != draw(seed + 1, 100, 5).lines


def test_a_full_run_kills_every_role_often_enough_in_both_ways(seed: int) -> None:
    kills = draw(seed, FULL_LINES, FULL).kills
    counts = Counter(kill.role for kill in kills)
    assert all(counts[role] >= PER_ROLE for role in ROLES)
    assert counts[EVERYTHING] == 1
    assert sum(1 for kill in kills if kill.aimed) == len(AIMED_ROLES)
    assert all(len({kill.stop_s > 0 for kill in kills if kill.role == role}) == 2 for role in ROLES)
    assert all(STOP_S[0] <= kill.stop_s <= STOP_S[1] for kill in kills if kill.stop_s)


def test_a_small_run_has_as_many_kills_as_were_asked_for() -> None:
    assert [len(draw(1, 100, kills).kills) for kills in (1, 4, 8)] == [1, 4, 8]


def test_every_marker_belongs_to_one_line_and_none_is_part_of_another(seed: int) -> None:
    plan = draw(seed, FULL_LINES, FULL)
    lines = [*plan.lines, *(kill.aimed for kill in plan.kills if kill.aimed)]
    assert len(lines) == FULL_LINES
    assert len({line.marker for line in lines}) == FULL_LINES
    assert len({len(line.marker) for line in lines}) == 1
    assert all(line.text.count(line.marker) == 1 for line in lines)


def test_the_simulator_takes_the_faults_and_the_lines_that_may_stay_open_are_few(seed: int) -> None:
    plan = draw(seed, FULL_LINES, FULL)
    faults = Faults.model_validate({"faults": plan.faults()}).faults
    assert all(fault.match and fault.count == 1 for fault in faults)
    kinds = Counter(fault.kind for fault in faults)
    assert set(kinds) >= {kind for kind, *_more in (*COMMON, *RARE)}
    assert kinds["callback_loss"] <= FULL_LINES // 1000
