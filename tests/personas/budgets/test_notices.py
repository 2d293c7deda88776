"""80 and 100 %: told once for each period and amount, as an alert whose event stands in the log."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.models import Alert, Delivery
from alerts.seeds import seed as seed_alerts
from personas.budgets import caches, notices, standing
from personas.budgets.keeper import Keeper
from personas.models import Budget, BudgetNotice
from personas.providers import Answer
from personas.selection import ModelSnapshot
from personas.types import CallScope
from tests.monitoring import builders
from tests.personas.budgets.conftest import budget, call, request
from worktool_ai.events.models import EventBatch
from worktool_ai.lib import clock

pytestmark = pytest.mark.django_db


def spend(keeper: Keeper, model: ModelSnapshot, tokens: int, scope: CallScope | None = None) -> None:
    hold = keeper.reserve(model, request(), scope or CallScope(), None)
    keeper.settle(hold, Answer("好", "m", 0, tokens), None)


def told() -> list[tuple[str, int]]:
    items = [item for batch in EventBatch.objects.order_by("id") for item in batch.items]
    codes = [item["data"]["alertCode"] for item in items if item["type"] == "alert_triggered"]
    return [(code, codes.count(code)) for code in dict.fromkeys(codes)]


def test_each_level_is_told_once_by_whoever_comes_first(keeper: Keeper, model: ModelSnapshot) -> None:
    seed_alerts()
    budget(amount="0.1")
    spend(keeper, model, 7_900)
    assert told() == []
    spend(keeper, model, 100)
    assert told() == [("budget_warning", 1)]
    notices.forget()  # another process
    spend(keeper, model, 100)
    assert told() == [("budget_warning", 1)]
    spend(keeper, model, 2_000)
    notices.forget()
    standing.watch()
    assert told() == [("budget_warning", 1), ("budget_spent", 1)]
    assert Delivery.objects.filter(alert__code="budget_spent").count() == 1


def test_an_alert_names_the_target_and_no_amount(keeper: Keeper, model: ModelSnapshot) -> None:
    robot = builders.robot()
    budget("robot", robot.pk, "0.01")
    spend(keeper, model, 1_000, CallScope(robot_id=str(robot.pk)))
    alert = Alert.objects.get(code="budget_spent")
    assert (alert.robot, alert.level) == (robot, "critical")
    assert "客服机器人 (demo)" in alert.title
    shown = alert.title + "".join(Delivery.objects.values_list("text", flat=True)) + str(alert.data)
    assert "0.01" not in shown


def test_raising_the_amount_arms_it_again_and_ends_the_alert(keeper: Keeper, model: ModelSnapshot) -> None:
    row = budget(amount="0.1")
    spend(keeper, model, 10_000)
    assert told() == [("budget_warning", 1), ("budget_spent", 1)]
    Budget.objects.filter(pk=row.pk).update(amount=Decimal("0.2"))
    caches.forget()
    standing.watch()
    assert set(Alert.objects.values_list("state", flat=True)) == {"resolved"}
    spend(keeper, model, 6_000)
    assert told() == [("budget_warning", 2), ("budget_spent", 1)]
    standing.watch()
    assert Alert.objects.get(state="open").code == "budget_warning"


@pytest.mark.parametrize("change", ["off", "deleted", "tomorrow"])
def test_with_the_period_or_the_budget_its_notices_end(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = budget(amount="1")
    call("1")
    standing.watch()
    assert set(Alert.objects.values_list("state", flat=True)) == {"open"}
    if change == "off":
        Budget.objects.filter(pk=row.pk).update(is_active=False)
    elif change == "deleted":
        row.delete()
    else:
        tomorrow = clock.now() + timedelta(days=1)
        monkeypatch.setattr(clock, "now", lambda: tomorrow)
    standing.watch()
    assert set(Alert.objects.values_list("state", flat=True)) == {"resolved"}
    assert not BudgetNotice.objects.filter(ended_at=None).exists()


def test_a_target_that_is_gone_is_told_all_the_same(model: ModelSnapshot) -> None:
    robot = builders.robot()
    row = budget("room", builders.room(robot).pk, "1")
    call("1", room_id=row.room_id)
    robot.rooms.all().delete()
    standing.watch()
    assert Alert.objects.filter(code="budget_spent", robot=None).count() == 1


def test_telling_fails_no_call(keeper: Keeper, model: ModelSnapshot) -> None:
    budget(amount="0.01")

    def fail(_reached: notices.Reached) -> None:
        raise RuntimeError("nobody listens")

    with notices.budget_reached.replaced(fail):
        spend(keeper, model, 1_000)
    assert told() == []
    standing.watch()
    assert told() == [("budget_warning", 1), ("budget_spent", 1)]
