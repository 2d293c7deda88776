"""One model at 50 % errors, over the wire, through the whole AI layer."""

from __future__ import annotations

import pytest

from personas import caches
from personas import chain as chain_module
from personas.model_stub.testing import running_model_stub
from personas.models import AIModel, Persona
from personas.resilience.gates import Gates, gates
from personas.resilience.hops import PassedOver
from personas.service import AIService
from personas.types import ChatMessage, GenerateOptions
from tests.planted import plant_personas

pytestmark = pytest.mark.django_db


@pytest.fixture
def stub(monkeypatch):
    plant_personas()
    monkeypatch.setattr(chain_module, "FIRST_DELAY_S", 0.005)
    with running_model_stub() as running:
        model = AIModel.objects.create(
            name="半坏",
            provider="custom",
            model_id="stub",
            is_active=True,
            api_endpoint=running.base_url,
            capabilities=["service_reply"],
            config={"config_version": 2, "allow_private": True},
        )
        Persona.objects.update(model=model)
        caches.clear()
        yield running


def reply() -> AIService:
    ai = AIService()
    ai.generate_reply([ChatMessage("user", "如何退款？")], GenerateOptions(persona_type="service"))
    return ai


def test_it_opens_after_the_least_number_of_calls_and_every_process_knows(stub, settings):
    stub.faults({"kind": "status", "value": "503", "probability": 0.5})
    model = caches.model_snapshot(AIModel.objects.get(name="半坏"))
    outcomes = []
    while not gates.looks_open(model, "service_reply"):
        assert len(outcomes) < 1000
        outcomes += [call.succeeded for call in reply().scope.calls if call.provider == "custom"]

    failed = outcomes.count(False)
    print(f"\nopened after {len(outcomes)} calls, {failed} failed; least {settings.MODEL_BREAKER_MIN_CALLS}")
    assert len(outcomes) >= settings.MODEL_BREAKER_MIN_CALLS
    assert failed / len(outcomes) >= settings.MODEL_BREAKER_FAILURE_RATE
    with pytest.raises(PassedOver):
        Gates().admit(model, "service_reply", lease_s=1.0, tokens=0)
    stub.clear_stats()
    assert [call.provider for call in reply().scope.calls] == ["local"]
    assert stub.stats()["total"] == 0
