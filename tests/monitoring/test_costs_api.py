"""API v1: what was spent on what and how budgets stand, for those who may see costs, inside their robot scope."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from monitoring import overview
from personas.budgets import caches
from personas.budgets.standing import watch
from personas.models import AIModel, Persona
from robots.models import Robot, Room
from tests.monitoring import builders
from tests.monitoring.test_api import client_of
from tests.personas.budgets.conftest import budget, call
from worktool_ai.accounts.models import Role

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh() -> None:
    caches.forget()


@pytest.fixture
def robot() -> Robot:
    return builders.robot()


@pytest.fixture
def room(robot: Robot) -> Room:
    return builders.room(robot)


def get(client: Client, path: str, **parameters: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1/{path}/", parameters)
    assert answer.status_code == 200, answer.content
    data: dict[str, Any] = answer.json()["data"]
    return data


def test_known_unknown_and_refused_are_told_apart(robot: Robot, room: Room) -> None:
    model = AIModel.objects.create(name="云模型", provider="openai")
    persona = Persona.objects.create(slug="a", name="客服", role_type="service", system_prompt="x")
    whose = {"model": model, "persona": persona, "robot_id": robot.pk, "room_id": room.pk}
    call("0.25", **whose)
    call("0.5", **whose)
    call(None, estimate=Decimal("0.01"), error_kind="timeout", succeeded=False, **whose)
    call(None, error_kind="rate_limit", succeeded=False, **whose)
    call(None)
    call("9", provider="local")
    names = {"model": "云模型", "persona": "客服", "robot": "客服机器人 (demo)", "room": "客服群 · demo"}
    for by, name in names.items():
        told = get(client_of(Role.ENGINEER), "spend", by=by)
        first, second = told["items"]
        figures = {"cost": "0.750000", "calls": 4, "unknown": 1, "estimate": "0.010000", "refused": 1}
        assert first == {"id": str(_id(whose, by)), "name": name, **figures}
        # all of its calls are unknown: a dash, not 0
        assert (second["id"], second["name"], second["cost"], second["unknown"]) == (None, None, None, 1)
        assert (told["currency"], told["total"]["calls"], told["total"]["cost"]) == ("CNY", 5, "0.750000")
    assert get(client_of(Role.OWNER), "spend", period="month")["total"]["cost"] == "0.750000"


def _id(whose: dict[str, Any], by: str) -> Any:
    return whose.get(f"{by}_id") or whose[by].pk


def test_nothing_was_spent_where_nobody_called() -> None:
    told = get(client_of(Role.OWNER), "spend")
    assert (told["total"]["cost"], told["total"]["calls"], told["items"]) == ("0.000000", 0, [])


def test_only_ones_own_robots(robot: Robot) -> None:
    other = builders.robot("other")
    call("1", robot_id=robot.pk)
    call("2", robot_id=other.pk)
    call("4")
    budget("robot", robot.pk, "5")
    budget("robot", other.pk, "5")
    budget(amount="50")
    narrow = client_of(Role.ENGINEER, robots=["demo"])
    told = get(narrow, "spend", by="robot")
    assert [row["id"] for row in told["items"]] == [str(robot.pk)]
    assert told["total"]["cost"] == "1.000000"
    (shown,) = get(narrow, "budgets")["items"]
    assert (shown["targetId"], shown["spent"], shown["left"]) == (str(robot.pk), "1.000000", "4.000000")
    assert len(get(client_of(Role.OWNER), "budgets")["items"]) == 3


def test_how_a_budget_stands(robot: Robot) -> None:
    budget("robot", robot.pk, "5", period="month")
    call("4.5", robot_id=robot.pk)
    (shown,) = get(client_of(Role.OWNER), "budgets")["items"]
    expected = {"scope": "robot", "period": "month", "amount": "5.000000", "spent": "4.500000", "reserved": "0.000000"}
    assert shown.items() >= {**expected, "left": "0.500000", "percent": 90, "currency": "CNY"}.items()
    assert "客服机器人" in shown["title"]


@pytest.mark.parametrize("path", ["spend", "budgets"])
@pytest.mark.parametrize(("role", "status"), [(Role.OPERATOR, 403), (Role.VIEWER, 403), (None, 401)])
def test_costs_are_not_for_everybody(path: str, role: str | None, status: int) -> None:
    client = client_of(role) if role else Client()
    answer = client.get(f"/api/v1/{path}/")
    assert (answer.status_code, answer.json()["code"]) == (status, status)


@pytest.mark.parametrize("parameters", [{"by": "customer"}, {"period": "year"}])
def test_what_cannot_be_asked_is_refused_with_its_name(parameters: dict[str, str]) -> None:
    answer = client_of(Role.OWNER).get("/api/v1/spend/", parameters)
    assert answer.status_code == 400
    assert answer.json()["details"][0]["field"] == next(iter(parameters))


def test_the_document_knows_them() -> None:
    answer = client_of(Role.OWNER).get("/api/schema", headers={"Accept": "application/json"}).json()
    operation = answer["paths"]["/api/v1/spend/"]["get"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {"by", "period"}
    assert "/api/v1/budgets/" in answer["paths"]


def test_the_first_page_shows_costs_and_budgets_that_are_used_up_to_those_who_may_see_them() -> None:
    budget(amount="1")
    call("0.9")
    call(None)
    watch()
    tile = overview.tiles(builders.person(Role.OWNER))[-1]
    assert (tile.value, tile.tone) == ("0.9000 CNY", "bad")
    assert all("CNY" not in tile.value for tile in overview.tiles(builders.person(Role.OPERATOR)))
