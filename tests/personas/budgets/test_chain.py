"""A budget in the chain of models: passed over with its reason, the next model or the local one answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from personas import caches
from personas.budgets import caches as budget_caches
from personas.budgets.prices import FREE
from personas.budgets.standing import statuses
from personas.hotpath import insert_ai_calls
from personas.models import AICall, AIModel, Budget, Persona
from personas.providers import ChatMessage
from personas.service import AIService
from personas.types import CallScope, GenerateOptions
from tests.personas.budgets.conftest import budget, call
from tests.planted import plant_personas
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db

ROOM = uuid7()


@pytest.fixture
def cloud() -> AIModel:
    """A model with a price, for every persona."""
    plant_personas()
    model = AIModel.objects.create(
        name="云模型",
        provider="priced",
        is_active=True,
        capabilities=["service_reply"],
        input_price=Decimal(2),
        output_price=Decimal(10),
    )
    Persona.objects.update(model=model)
    caches.clear()
    return model


def reply() -> tuple[Any, AIService]:
    ai = AIService(CallScope(room_id=str(ROOM)))
    options = GenerateOptions(persona_type="service", intent="service", topic="支付问题", seed="m1")
    return ai.generate_reply([ChatMessage("user", "如何退款？")], options), ai


def test_the_cost_is_stored_with_the_call(cloud: AIModel) -> None:
    answer, ai = reply()
    with connection.cursor() as cursor:
        insert_ai_calls(cursor, ai.scope.calls)
    stored = AICall.objects.get()
    assert answer.source == "model"
    assert (stored.cost, stored.estimate, stored.room_id) == (Decimal("0.000700"), None, ROOM)


def test_without_a_price_the_cost_is_unknown_and_not_nothing(cloud: AIModel) -> None:
    AIModel.objects.update(input_price=None, output_price=None)
    caches.clear()
    budget(amount="0.01")
    _answer, ai = reply()
    assert (ai.scope.calls[0].cost, ai.scope.calls[0].estimate) == (None, None)


def test_at_the_end_of_a_budget_the_local_model_answers_and_says_why(cloud: AIModel) -> None:
    row = budget("room", ROOM, "1")
    call("1", room_id=ROOM)
    answer, ai = reply()
    (local,) = ai.scope.calls
    assert (answer.source, local.provider, local.cost) == ("template", "local", FREE)
    (hop,) = local.request["passed_over"]
    assert (hop["model"], hop["reason"], hop["detail"]) == ("云模型", "budget", f"room:{ROOM}:day")
    Budget.objects.filter(pk=row.pk).update(amount=2)
    budget_caches.forget()
    assert reply()[0].source == "model"


def test_a_model_can_be_tested_although_its_budget_is_used_up(cloud: AIModel) -> None:
    row = budget("model", cloud.pk, "1")
    call("1", model=cloud)
    assert AIService().health_check(caches.model_snapshot(cloud)).ok
    (status,) = statuses([budget_caches.snapshot(row)])
    assert (status.spent, status.held, status.left, status.percent) == (Decimal("1.000700"), FREE, FREE, 100)
