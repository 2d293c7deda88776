from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import redis
from django.conf import settings

from personas import caches as persona_caches
from personas.budgets import caches, notices
from personas.budgets import keeper as keeper_module
from personas.budgets.counters import Counters
from personas.budgets.keeper import Keeper
from personas.models import AICall, AIModel, Budget
from personas.providers import Answer, ChatMessage, ChatRequest, Provider, registry
from personas.selection import ModelSnapshot
from worktool_ai.lib import clock
from worktool_ai.lib.ids import uuid7


class PricedVendor(Provider):
    """A remote vendor that is never really asked."""

    key = "priced"
    label = "Priced"
    needs_key = False

    def chat(self, request: ChatRequest) -> Answer:
        return Answer("好的。", "priced-1", 100, 50)


@pytest.fixture(autouse=True)
def _priced() -> Any:
    with registry.temporarily(PricedVendor):
        yield


@pytest.fixture(autouse=True)
def _fresh() -> None:
    caches.forget()
    notices.forget()
    persona_caches.clear()
    keeper_module._keeper.cache_clear()


@pytest.fixture
def counters(broker_redis: redis.Redis) -> Counters:
    return Counters(broker_redis, settings.REDIS_PREFIX)


@pytest.fixture
def keeper(counters: Counters) -> Keeper:
    return Keeper(counters)


@pytest.fixture
def model() -> ModelSnapshot:
    """Two yuan for a million tokens read, ten for a million written."""
    row = AIModel.objects.create(
        name="云模型", provider="priced", is_active=True, input_price=Decimal(2), output_price=Decimal(10)
    )
    return persona_caches.model_snapshot(row)


@pytest.fixture
def everything() -> Budget:
    """One yuan a day for the whole installation."""
    return budget(amount="1")


def budget(scope: str = "all", target: Any = None, amount: str = "1", period: str = "day", **fields: Any) -> Budget:
    row = Budget(scope=scope, period=period, amount=Decimal(amount), **fields)
    row.aim(target)
    row.full_clean()
    row.save()
    caches.forget()
    return row


def request(max_tokens: int = 1000, text: str = "如何退款？") -> ChatRequest:
    return ChatRequest((ChatMessage("user", text),), 0.7, max_tokens, timeout=8.0)


def call(cost: str | None = "0.5", **fields: Any) -> AICall:
    """The row of a call to a remote model."""
    values: dict[str, Any] = {
        "id": uuid7(),
        "task": "reply",
        "provider": "priced",
        "succeeded": True,
        "duration_ms": 5,
        "cost": None if cost is None else Decimal(cost),
        "created_at": clock.now(),
    }
    return AICall.objects.create(**{**values, **fields})
