"""What operators see of models that fail, and the buttons that they have."""

from __future__ import annotations

import pytest
from django.urls import reverse

from personas import caches
from personas.models import AICall, AIModel, BreakerHold, Persona, PersonaFallback
from personas.providers import ProviderError
from personas.resilience import status
from personas.resilience.gates import gates
from robots.models import Robot
from tests.monitoring import builders
from tests.personas.test_hotpath import insert, record
from tests.planted import plant_personas
from worktool_ai.accounts.models import AuditEntry, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> AIModel:
    plant_personas()
    row = AIModel.objects.create(
        name="云模型", provider="custom", api_endpoint="https://llm.example.com/v1", is_active=True,
        capabilities=["service_reply"], requests_per_minute=60,
    )  # fmt: skip
    Persona.objects.update(model=row)
    refreshed()
    return row


@pytest.fixture
def owner(client):
    client.force_login(User.objects.create_user("owner", role="owner", is_staff=True))
    return client


def refreshed() -> None:
    caches.clear()
    status.forget()


def shown(client, name: str, *args) -> str:
    refreshed()
    page: str = client.get(reverse(f"admin:{name}", args=args)).content.decode()
    return page


def failing(model: AIModel) -> None:
    for _ in range(10):
        admission = gates.admit(caches.model_snapshot(model), "service_reply", lease_s=60.0, tokens=0)
        admission.report(None, ProviderError("overloaded", "HTTP 503"))


def test_the_models_page_shows_breaker_limit_errors_and_the_last_test(owner, model):
    failing(model)
    insert(record(task="health", model_id=model.pk, response={"text": "我是客服。"}))
    insert(record(model_id=model.pk, succeeded=False, error_kind="timeout", error="no answer in time"))

    text = shown(owner, "personas_aimodel_change", model.pk)

    for part in (
        "断开（熔断）",
        "0 / 10",
        "10 / 60",
        "我是客服。",
        "no answer in time",
        "今日探测：0 次（上限 96 次）",
    ):
        assert part in text
    assert "断开：" in shown(owner, "personas_aimodel_changelist")


def test_the_page_opens_while_redis_is_away(owner, model, store_away):
    assert "Redis 没有响应" in shown(owner, "personas_aimodel_change", model.pk)


def test_buttons_hold_a_breaker_and_give_it_back(owner, model):
    def press(button: str, **inputs):
        data = {f"{button}-{name}": value for name, value in inputs.items()}
        assert owner.post(reverse(f"admin:personas_aimodel_{button}", args=[model.pk]), data).status_code == 302

    press("hold_open", capability="service_reply", why="厂商维护")
    hold = BreakerHold.objects.get()
    assert (hold.state, hold.capability, hold.why, hold.set_by) == ("open", "service_reply", "厂商维护", "owner")
    assert "厂商维护" in shown(owner, "personas_aimodel_change", model.pk)

    press("hold_closed", capability="service_reply", why="")
    assert BreakerHold.objects.get().state == "closed"

    press("automatic", capability="")
    assert not BreakerHold.objects.exists()
    actions = AuditEntry.objects.filter(action__startswith="breaker").order_by("at").values_list("action", flat=True)
    assert list(actions) == ["breaker.hold", "breaker.hold", "breaker.release"]


def test_who_may_not_change_models_may_not_hold_breakers(client, model):
    client.force_login(User.objects.create_user("operator", role="operator", is_staff=True))

    assert client.post(reverse("admin:personas_aimodel_hold_open", args=[model.pk])).status_code == 403


def test_the_order_of_models_is_shown_and_edited_on_the_persona(owner, model):
    persona = Persona.objects.get(slug="service")
    second = AIModel.objects.create(name="备用", provider="custom")
    PersonaFallback.objects.create(persona=persona, model=second, capability="service_reply")

    assert "云模型 → 备用（客服回复） → 本地模型" in shown(owner, "personas_persona_change", persona.pk)
    assert "云模型 → 本地模型" in shown(owner, "personas_persona_changelist")


def test_a_call_tells_whom_it_stands_in_for(owner, model):
    hop = {"model": "云模型", "reason": "breaker_open", "wait_s": 12.5}
    insert(record(request={"text": "如何退款？", "passed_over": [hop]}))

    assert "云模型：熔断中：失败过多" in shown(owner, "personas_aicall_change", AICall.objects.get().pk)


def test_robots_tell_who_answers_for_them(owner, model):
    AIModel.objects.update(is_active=False)
    robot: Robot = builders.robot()

    for text in (shown(owner, "robots_robot_change", robot.pk), shown(owner, "robots_robot_changelist")):
        assert "正在用本地回复：云模型：" in text
