"""How the health of models is judged, asked for and shown."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.models import Alert, AlertState
from monitoring import model_health
from personas import caches
from personas.models import AICall, AIModel, AIModelHealthCheck, Persona, PersonaFallback
from personas.providers import Answer, Provider, ProviderError, registry
from personas.resilience import health, services, status
from personas.resilience.gates import gates
from personas.resilience.hops import PassedOver
from personas.resilience.shared import redis_gates
from personas.voices import voice_of
from tests.planted import plant_personas
from worktool_ai.accounts.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)


class Patient(Provider):
    """Answers, or does not."""

    key = "patient"
    label = "Patient"
    needs_key = False
    step: object = "好"
    asked: list = []

    def chat(self, request):
        type(self).asked.append(request)
        if isinstance(self.step, Exception):
            raise self.step
        return Answer(self.step, "p1", 5, 1)


@pytest.fixture
def model():
    plant_personas()
    Patient.step, Patient.asked = "好", []
    with registry.temporarily(Patient):
        row = AIModel.objects.create(
            name="云模型", provider="patient", is_active=True, capabilities=["chat", "service_reply"]
        )
        Persona.objects.update(model=row)
        refreshed()
        yield row


def refreshed() -> None:
    caches.clear()
    status.forget()
    gates.forget()


def called(model, *, fails: int = 0, answers: int = 0, capability: str = "chat") -> None:
    """Traffic of customers."""
    snapshot = caches.model_snapshot(model)
    for failed in [False] * answers + [True] * fails:
        admission = gates.admit(snapshot, capability, lease_s=60.0, tokens=0)
        admission.report(
            None if failed else Answer("好", "p1"), ProviderError("overloaded", "HTTP 503") if failed else None
        )
    status.forget()


def watched() -> list[str]:
    """Look once more; returns the whole history, oldest first."""
    redis_gates()._store.delete(f"{redis_gates()._prefix}:models:watch")
    model_health.watch()
    return list(AIModelHealthCheck.objects.order_by("checked_at").values_list("status", flat=True))


def test_traffic_tells_health_and_only_changes_are_written(model):
    called(model, answers=5)
    assert watched() == ["healthy"]
    assert watched() == ["healthy"]

    called(model, fails=3)
    assert watched() == ["healthy", "degraded"]

    called(model, fails=2)  # half of ten: its breaker opens, the only one in use
    assert watched() == ["healthy", "degraded", "down"]
    row = AIModelHealthCheck.objects.latest("checked_at")
    assert (row.source, row.error_message) == ("traffic", "overloaded: HTTP 503")
    assert not Patient.asked


def test_a_state_that_stays_is_told_again_after_a_while(model):
    called(model, answers=5)
    watched()
    AIModelHealthCheck.objects.update(checked_at=AIModelHealthCheck.objects.get().checked_at - timedelta(minutes=6))

    assert watched() == ["healthy", "healthy"]


def test_one_alert_while_it_is_down_and_none_after(model):
    called(model, fails=10)
    watched()
    watched()

    alert = Alert.objects.get(code="model_down")
    assert alert.state != AlertState.RESOLVED
    assert "云模型" in alert.data["text"]

    AIModel.objects.update(is_active=False)
    refreshed()
    watched()
    alert.refresh_from_db()
    assert alert.state == AlertState.RESOLVED


def test_a_model_without_traffic_is_asked_next_to_nothing_and_not_again_soon(model):
    assert watched() == ["healthy"]
    watched()

    (request,) = Patient.asked
    assert request.max_tokens <= 16
    assert AICall.objects.get().node_id == health.PROBE
    assert AIModelHealthCheck.objects.get().source == "probe"


def test_models_with_traffic_or_switched_off_are_not_asked(model):
    called(model, answers=1)
    AIModel.objects.create(name="aus", provider="patient", is_active=False)
    refreshed()

    watched()

    assert not Patient.asked


def test_probes_are_capped_and_counted_with_their_cost(model, settings):
    settings.MODEL_PROBES_PER_DAY = 2
    settings.MODEL_PROBE_IDLE_S = 0.0
    for _ in range(4):
        redis_gates()._store.flushdb()
        watched()

    assert len(Patient.asked) == 2
    assert health.probes_today([model.pk])[model.pk] == health.ProbeCount(2, None)
    AICall.objects.update(cost=Decimal("0.25"))
    assert health.probes_today([model.pk])[model.pk] == health.ProbeCount(2, Decimal("0.5"))


def test_probes_can_be_switched_off(model, settings):
    settings.MODEL_PROBES_PER_DAY = 0

    watched()

    assert not Patient.asked


@pytest.mark.parametrize("kind", ["bad_request", "auth", "timeout"])
def test_one_failed_probe_is_a_doubt_and_a_second_one_is_down(model, settings, kind):
    settings.MODEL_PROBE_IDLE_S = 0.0
    Patient.step = ProviderError(kind, "no")

    assert watched() == ["degraded"]
    redis_gates()._store.delete(f"{redis_gates()._prefix}:models:probe:{model.pk}")
    assert watched() == ["degraded", "down"]


def test_while_redis_is_away_nothing_is_said(model, store_away):
    model_health.watch()

    assert not AIModelHealthCheck.objects.exists()
    assert status.read([caches.model_snapshot(model)]) == {}


# -- what people decide, and read ----------------------------------------------------------------------------------


def voice() -> str:
    refreshed()
    return str(voice_of(Persona.objects.get(slug="service").pk))


def test_a_person_holds_a_breaker_and_gives_it_back(model):
    services.hold_breaker(model, "", "open", "厂商维护", "owner")
    snapshot = caches.cast().models[model.pk]
    with pytest.raises(PassedOver):
        gates.admit(snapshot, "chat", lease_s=1.0, tokens=0)

    called(model)
    assert services.release_breaker(model, "", "owner") == 1
    called(model, answers=1)

    assert [entry.action for entry in AuditEntry.objects.order_by("at")] == ["breaker.hold", "breaker.release"]


def test_given_back_it_begins_closed(model):
    called(model, fails=10)

    services.release_breaker(model, "chat", "owner")

    called(model, answers=1)


def test_held_closed_it_is_asked_whatever_happens(model):
    services.hold_breaker(model, "chat", "closed", "", "owner")

    called(AIModel.objects.get(pk=model.pk), fails=30)


def test_a_persona_says_who_answers_and_why_it_is_another(model):
    assert voice() == "云模型"

    called(model, fails=10, capability="service_reply")
    assert voice().startswith("正在用本地回复：云模型：")

    second = AIModel.objects.create(name="备用", provider="patient", is_active=True, capabilities=["service_reply"])
    PersonaFallback.objects.create(persona=Persona.objects.get(slug="service"), model=second)
    assert "备用" in voice()
    assert "云模型" in voice()

    AIModel.objects.update(is_active=False)
    assert voice().startswith("正在用本地回复：云模型：")


def test_a_limit_that_is_used_up_is_said(model):
    AIModel.objects.filter(pk=model.pk).update(requests_per_minute=1)
    refreshed()
    called(AIModel.objects.get(pk=model.pk), answers=1)

    assert "限额" in voice()
