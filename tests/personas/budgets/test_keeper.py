"""Before and after a call: reserved, settled, refused, and what happens when Redis is away or has forgotten."""

from __future__ import annotations

import dataclasses
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.db import DatabaseError

from personas.budgets import caches, spending
from personas.budgets import keeper as module
from personas.budgets.counters import Counters, Standing
from personas.budgets.keeper import Hold, Keeper, OverBudget, lines_of
from personas.models import Budget
from personas.providers import Answer, ProviderError
from personas.selection import ModelSnapshot
from personas.types import CallScope
from tests.personas.budgets.conftest import budget, call, request
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db

ROBOT, ROOM = uuid7(), uuid7()
SCOPE = CallScope(robot_id=str(ROBOT), room_id=str(ROOM))
#: 1000 tokens written at ten a million, and at most 31 bytes and 16 more read at two.
AT_MOST = Decimal("0.010062")


def reserve(keeper: Keeper, model: ModelSnapshot, scope: CallScope = SCOPE, **fields: Any) -> Hold:
    return keeper.reserve(model, request(), scope, None, **fields)


def standing(keeper: Keeper, row: Budget) -> Standing:
    lines = [line for line, _span in lines_of([caches.snapshot(row)], clock.now())]
    return keeper.counters.standings(lines)[0]


def test_without_a_budget_redis_is_not_asked(model: ModelSnapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(Counters(redis.Redis(port=1), "nobody"))
    monkeypatch.setattr(keeper, "_asked", lambda *_: pytest.fail("asked"))
    hold = reserve(keeper, model)
    settled = keeper.settle(hold, Answer("好", "m", 1000, 200), None)
    assert (settled.cost, settled.estimate) == (Decimal("0.004"), None)


def test_a_cost_takes_the_place_of_what_was_held(keeper: Keeper, model: ModelSnapshot, everything: Budget) -> None:
    hold = reserve(keeper, model)
    assert hold.amount == AT_MOST
    assert standing(keeper, everything) == Standing(0, 10062)
    keeper.settle(hold, Answer("好", "m", 1000, 200), None)
    assert standing(keeper, everything) == Standing(4000, 0)


@pytest.mark.parametrize(
    ("answer", "error", "counted"),
    [
        (Answer("好", "m"), None, AT_MOST),
        (Answer("好", "m", 7, None), None, AT_MOST),
        (None, ProviderError("timeout", "late"), AT_MOST),
        (None, ProviderError("bad_answer", "broken off"), AT_MOST),
        (None, ProviderError("rate_limit", "slow down"), None),
        (None, ProviderError("auth", "wrong key"), None),
        (None, ProviderError("unreachable", "nobody there"), None),
    ],
)
def test_what_may_have_cost_something_counts_as_what_was_held(
    keeper: Keeper, model: ModelSnapshot, everything: Budget, answer: Any, error: Any, counted: Decimal | None
) -> None:
    settled = keeper.settle(reserve(keeper, model), answer, error)
    assert (settled.cost, settled.estimate) == (None, counted)
    assert standing(keeper, everything) == Standing(int((counted or 0) * 1_000_000), 0)


def test_an_answer_that_is_of_no_use_costs_what_it_costs(keeper: Keeper, model: ModelSnapshot) -> None:
    rejected = ProviderError("bad_answer", "empty")
    assert keeper.settle(reserve(keeper, model), Answer("", "m", 1000, 0), rejected).cost == Decimal("0.002")


def test_without_a_price_nothing_is_known_and_nothing_counted(
    keeper: Keeper, model: ModelSnapshot, everything: Budget
) -> None:
    unpriced = dataclasses.replace(model, price=None)
    call(cost="5")
    settled = keeper.settle(reserve(keeper, unpriced), Answer("好", "m", 1000, 200), None)
    assert (settled.cost, settled.estimate) == (None, None)


@pytest.mark.parametrize("scope", ["all", "model", "robot", "room"])
def test_a_budget_that_is_used_up_stops_its_own_calls_only(keeper: Keeper, model: ModelSnapshot, scope: str) -> None:
    targets = {"all": None, "model": model.id, "robot": ROBOT, "room": ROOM}
    row = budget(scope, targets[scope], "0.01")
    keeper.settle(reserve(keeper, model), Answer("好", "m", 0, 1000), None)
    with pytest.raises(OverBudget) as over:
        reserve(keeper, model)
    assert over.value.budget.id == row.pk
    if scope in ("robot", "room"):
        reserve(keeper, model, CallScope(robot_id=str(uuid7()), room_id=str(uuid7())))
        reserve(keeper, model, CallScope())


def test_of_several_budgets_the_one_that_is_used_up_decides(keeper: Keeper, model: ModelSnapshot) -> None:
    day, month = budget(amount="5"), budget(amount="6", period="month")
    call("6", created_at=clock.now())
    with pytest.raises(OverBudget):
        reserve(keeper, model)
    Budget.objects.filter(pk=day.pk).update(amount=50)
    caches.forget()
    with pytest.raises(OverBudget) as over:
        reserve(keeper, model)
    assert over.value.budget.id == month.pk


def test_raising_the_amount_restores(keeper: Keeper, model: ModelSnapshot, everything: Budget) -> None:
    call("1")
    with pytest.raises(OverBudget):
        reserve(keeper, model)
    Budget.objects.update(amount=Decimal("1.01"))
    caches.forget()
    assert reserve(keeper, model).budgets


def test_a_look_at_a_models_health_is_counted_and_not_stopped(
    keeper: Keeper, model: ModelSnapshot, everything: Budget
) -> None:
    call("1")
    hold = reserve(keeper, model, enforced=False)
    keeper.settle(hold, Answer("好", "m", 0, 100), None)
    assert standing(keeper, everything) == Standing(1_001_000, 0)


def test_the_next_day_starts_at_nothing(
    keeper: Keeper, model: ModelSnapshot, everything: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    midnight = datetime(2026, 11, 22, 16, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: midnight - timedelta(seconds=1))
    call("1")
    with pytest.raises(OverBudget):
        reserve(keeper, model)
    monkeypatch.setattr(clock, "now", lambda: midnight)
    late = reserve(keeper, model)
    keeper.settle(late, Answer("好", "m", 0, 100), None)
    assert standing(keeper, everything) == Standing(1000, 0)


# -- Redis ---------------------------------------------------------------------------------------------------------


def test_what_redis_has_lost_is_counted_from_rows(
    keeper: Keeper, model: ModelSnapshot, everything: Budget, broker_redis: redis.Redis
) -> None:
    call("0.4")
    call(None, estimate=Decimal("0.3"))
    call(None)
    call("7", provider="local")
    call("7", created_at=clock.now() - timedelta(days=2))
    hold = reserve(keeper, model)
    assert standing(keeper, everything) == Standing(700_000, 10_062)
    broker_redis.flushdb()
    keeper.settle(hold, Answer("好", "m", 0, 1000), None)
    assert standing(keeper, everything) == Standing(710_000, 0)
    broker_redis.flushdb()
    call("0.3")
    with pytest.raises(OverBudget):
        reserve(keeper, model)


class Broken(redis.Redis):
    """A Redis that can be taken away."""

    def __init__(self, inner: redis.Redis) -> None:
        super().__init__(connection_pool=inner.connection_pool)
        self.is_away = False
        self.asked = 0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self.asked += 1
        if self.is_away:
            raise redis.ConnectionError("away")
        return super().execute_command(*args, **options)


@pytest.fixture
def store(broker_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Broken:
    monkeypatch.setattr(module, "SILENCE_S", 0.0)
    return Broken(broker_redis)


def test_without_redis_calls_go_on_by_what_was_known(store: Broken, model: ModelSnapshot, everything: Budget) -> None:
    keeper = Keeper(Counters(store, "away"))
    call("0.98")
    reserve(keeper, model)
    store.is_away = True
    hold = reserve(keeper, model)
    keeper.settle(hold, Answer("好", "m", 0, 1000), None)
    hold = reserve(keeper, model)
    keeper.settle(hold, Answer("好", "m", 0, 1000), None)
    with pytest.raises(OverBudget):
        reserve(keeper, model)


def test_a_process_that_never_knew_lets_calls_pass(store: Broken, model: ModelSnapshot, everything: Budget) -> None:
    store.is_away = True
    call("5")
    assert reserve(Keeper(Counters(store, "away")), model).budgets


def test_what_redis_missed_is_caught_up_from_rows(store: Broken, model: ModelSnapshot, everything: Budget) -> None:
    keeper = Keeper(Counters(store, "away"))
    hold = reserve(keeper, model)
    store.is_away = True
    keeper.settle(hold, Answer("好", "m", 0, 1000), None)
    call("1")
    store.is_away = False
    with pytest.raises(OverBudget):
        reserve(keeper, model)


def test_a_redis_that_is_away_is_left_alone_for_a_moment(
    store: Broken, model: ModelSnapshot, everything: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 600.0)
    keeper = Keeper(Counters(store, "away"))
    store.is_away = True
    for _ in range(20):
        keeper.settle(reserve(keeper, model), Answer("好", "m", 0, 1), None)
    assert store.asked == 1


def test_of_many_calls_at_once_only_those_whose_turn_it_is_wait_for_a_redis_that_hangs(
    model: ModelSnapshot, everything: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 600.0)
    budgets = [caches.snapshot(everything)]
    monkeypatch.setattr(caches, "matching", lambda *_: budgets)
    all_turns = threading.Barrier(module.TURNS)
    asked: list[int] = []

    class Hanging(Counters):
        def reserve(self, *_: Any) -> Any:
            asked.append(1)
            all_turns.wait(30)
            raise redis.TimeoutError("nobody answers")

    keeper = Keeper(Hanging(redis.Redis(port=1), "hangs"))
    calls = [threading.Thread(target=reserve, args=(keeper, model)) for _ in range(3 * module.TURNS)]
    for one in calls:
        one.start()
    for one in calls:
        one.join(30)
    assert not any(one.is_alive() for one in calls)
    assert len(asked) == module.TURNS


def test_a_database_that_is_away_stops_no_call(
    keeper: Keeper, model: ModelSnapshot, everything: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        raise DatabaseError("away")

    monkeypatch.setattr(spending, "charged", fail)
    keeper.settle(reserve(keeper, model), Answer("好", "m", 0, 1), None)
    monkeypatch.setattr(caches, "matching", fail)
    assert reserve(keeper, model).budgets == ()
