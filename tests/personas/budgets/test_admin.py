"""Budgets and spending in the admin, as owners and engineers use them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from personas.budgets import caches
from personas.budgets.keeper import Keeper, OverBudget
from personas.models import AIModel, Budget, BudgetNotice
from personas.selection import ModelSnapshot
from personas.types import CallScope
from tests.monitoring import builders
from tests.personas.budgets.conftest import budget, call, request
from worktool_ai.accounts.models import AuditEntry, Role
from worktool_ai.lib import clock

pytestmark = pytest.mark.django_db


def signed_in(role: str = Role.OWNER, robots: list[str] | None = None) -> Client:
    client = Client()
    client.force_login(builders.person(role, robots))
    return client


def page(client: Client, name: str, /, *args: Any, **query: Any) -> Any:
    return client.get(reverse(f"admin:personas_{name}", args=args), query)


def save(client: Client, target: str, amount: str = "5", pk: Any = None, **fields: Any) -> Any:
    name, args = ("budget_change", [pk]) if pk else ("budget_add", [])
    data = {"target": target, "period": "day", "amount": amount, "is_active": "on", "note": "", **fields}
    with translation.override("en"):
        return client.post(reverse(f"admin:personas_{name}", args=args), data)


def test_a_budget_is_set_for_each_kind_of_target() -> None:
    robot = builders.robot()
    room = builders.room(robot)
    model = AIModel.objects.create(name="云模型", provider="openai")
    owner = signed_in()
    wanted = ["all:", f"model:{model.pk}", f"robot:{robot.pk}", f"room:{room.pk}"]
    shown = page(owner, "budget_add").content.decode()
    for target in wanted:
        assert f'value="{target}"' in shown
        assert save(owner, target).status_code == 302
    found = {f"{row.scope}:{row.target_id or ''}" for row in Budget.objects.all()}
    assert found == set(wanted)
    assert AuditEntry.objects.filter(action="budget.add").count() == len(wanted)
    listed = page(owner, "budget_changelist").content.decode()
    assert "客服群 · demo" in listed
    assert "5.00 CNY" in listed


def test_one_budget_for_a_target_and_a_period(everything: Budget) -> None:
    owner = signed_in()
    assert save(owner, "all:").status_code == 200
    assert save(owner, "all:", period="month").status_code == 302
    assert save(owner, "all:", pk=everything.pk, amount="7").status_code == 302
    assert set(Budget.objects.values_list("period", "amount")) == {("day", Decimal(7)), ("month", Decimal(5))}


@pytest.mark.parametrize(("target", "amount"), [("all:", "0"), ("all:", "-1"), ("", "5"), ("robot:nobody", "5")])
def test_what_makes_no_sense_is_refused(target: str, amount: str) -> None:
    assert save(signed_in(), target, amount).status_code == 200
    assert not Budget.objects.exists()


def test_the_bar_shows_what_is_spent_set_aside_and_left(
    keeper: Keeper, model: ModelSnapshot, everything: Budget
) -> None:
    call("0.85")
    keeper.reserve(model, request(10_000), CallScope(), None)
    shown = page(signed_in(), "budget_changelist").content.decode()
    for text in ("85%", "0.8500 CNY", "0.1001 CNY", "0.0499 CNY"):
        assert text in shown
    assert "85%" in page(signed_in(), "budget_change", everything.pk).content.decode()


def test_a_budget_that_was_off_counts_what_was_spent_meanwhile(
    keeper: Keeper, model: ModelSnapshot, everything: Budget, django_capture_on_commit_callbacks: Any
) -> None:
    keeper.reserve(model, request(), CallScope(), None)
    Budget.objects.update(is_active=False)
    caches.forget()
    call("1")
    with django_capture_on_commit_callbacks(execute=True):
        assert save(signed_in(), "all:", "1", everything.pk).status_code == 302
    with pytest.raises(OverBudget):
        keeper.reserve(model, request(), CallScope(), None)


def test_who_may_look_and_who_may_change(everything: Budget) -> None:
    engineer = signed_in(Role.ENGINEER)
    assert page(engineer, "budget_changelist").status_code == 200
    shown = page(engineer, "budget_change", everything.pk).content.decode()
    assert 'name="amount"' not in shown
    assert page(engineer, "spending").status_code == 200
    assert save(engineer, "all:", "9", everything.pk).status_code == 403
    for role in (Role.OPERATOR, Role.VIEWER):
        for name in ("budget_changelist", "spending", "budgetnotice_changelist"):
            assert page(signed_in(role), name).status_code == 403


def test_a_narrow_scope_sees_and_sets_its_own_robots_only(everything: Budget) -> None:
    robot, other = builders.robot(), builders.robot("other", name="别的机器人")
    mine = budget("robot", robot.pk)
    theirs = budget("robot", other.pk)
    for row in (mine, theirs):
        BudgetNotice.objects.create(budget=row, span="2026-11-22", level=80, amount=1, spent=1, at=clock.now())
    narrow = signed_in(robots=["demo"])
    listed = page(narrow, "budget_changelist").content.decode()
    assert ("客服机器人" in listed, "别的机器人" in listed) == (True, False)
    assert page(narrow, "budget_change", theirs.pk).status_code == 302
    assert "别的机器人" not in page(narrow, "budgetnotice_changelist").content.decode()
    assert save(narrow, "all:", period="month").status_code == 200
    assert save(narrow, f"robot:{other.pk}", period="month").status_code == 200
    assert save(narrow, f"robot:{robot.pk}", period="month").status_code == 302


def test_spending_by_everything(model: ModelSnapshot) -> None:
    robot = builders.robot()
    private = builders.room(robot, "张三", is_group=False)
    call("0.5", model_id=model.id, robot_id=robot.pk, room_id=private.pk)
    call(None, model_id=model.id)
    for period in ("day", "month", "nonsense"):
        shown = page(signed_in(), "spending", period=period).content.decode()
        for text in ("云模型", "客服机器人 (demo)", "0.5000 CNY", "—"):
            assert text in shown
        assert "张三" not in shown


def test_models_without_a_price_are_named_where_budgets_are_set(model: ModelSnapshot) -> None:
    assert "云模型" not in page(signed_in(), "budget_changelist").content.decode()
    AIModel.objects.update(input_price=None, output_price=None)
    assert "云模型" in page(signed_in(), "budget_changelist").content.decode()


def test_half_a_price_is_refused() -> None:
    row = AIModel(name="半价", provider="priced", input_price=Decimal(1))
    with pytest.raises(Exception, match="output_price"):
        row.clean()
