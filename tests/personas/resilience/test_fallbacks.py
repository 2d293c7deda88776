"""Chains of models: their order, their one deadline, and what is told of those passed over."""

from __future__ import annotations

import json
import socket
import time

import pytest

from personas import caches
from personas import chain as chain_module
from personas.models import AIModel, BreakerHold, Persona, PersonaFallback
from personas.providers import TEXT_AND_IMAGES, Answer, ChatMessage, Image, Provider, ProviderError, registry
from personas.resilience.gates import gates
from personas.service import AIService
from personas.types import AIContext, CallScope, GenerateOptions, PictureOptions, ReportOptions
from tests.planted import plant_personas
from worktool_ai.lib import clock

pytestmark = pytest.mark.django_db

INTENT = json.dumps({"intent": "service", "topic": None, "confidence": 0.9, "why": "问退款"})
ALL = ["intent_recognition", "service_reply", "conversion", "chat", "report", "image_analysis"]


class Vendor(Provider):
    """Three models of one vendor; ``script``: model name -> what each of its calls does, the last again and again."""

    key = "several"
    label = "Several"
    needs_key = False
    offers = TEXT_AND_IMAGES
    script: dict = {}
    asked: list = []

    def chat(self, request):
        type(self).asked.append((self.model_id, request))
        steps = self.script.get(self.model_id, ["好的，马上为您看。"])
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        if callable(step):
            return step(request)
        return Answer(step, self.model_id, 20, 10)


def hang(request):
    """As a model that does not answer: the call ends with its own time."""
    time.sleep(request.timeout)
    raise ProviderError("timeout", "the model did not answer in time")


@pytest.fixture
def models(monkeypatch):
    """Models m1, m2, m3; every persona asks them in this order."""
    plant_personas()
    monkeypatch.setattr(chain_module, "FIRST_DELAY_S", 0.01)
    Vendor.script, Vendor.asked = {}, []
    with registry.temporarily(Vendor):
        rows = [
            AIModel.objects.create(name=name, provider="several", model_id=name, is_active=True, capabilities=ALL)
            for name in ("m1", "m2", "m3")
        ]
        Persona.objects.update(model=rows[0])
        for persona in Persona.objects.all():
            for order, row in enumerate(rows[1:]):
                PersonaFallback.objects.create(persona=persona, model=row, order=order)
        caches.clear()
        yield rows


def reply(**options):
    ai = AIService(CallScope())
    fields = {"persona_type": "service", "intent": "service", "topic": "支付问题", "values": {"userName": "张三"}}
    return ai, ai.generate_reply([ChatMessage("user", "如何退款？")], GenerateOptions(**{**fields, **options}))


def asked() -> list[str]:
    return [name for name, _request in Vendor.asked]


def told(ai: AIService) -> list[tuple[str, str, list]]:
    return [
        (call.model_name or call.provider, call.error_kind, [
            (hop["model"], hop["reason"]) for hop in call.request.get("passed_over", [])
        ])
        for call in ai.scope.calls
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["auth", "quota", "overloaded", "timeout", "content_policy", "bad_request"])
def test_the_first_fails_and_the_second_answers(models, kind):
    Vendor.script = {"m1": [ProviderError(kind, "no")]}

    ai, answer = reply()

    assert (answer.source, answer.model) == ("model", "m2")
    assert told(ai) == [("m1", kind, []), ("m2", "", [])]


CALLS = {
    "intent": lambda ai: ai.recognize_intent("如何退款？", AIContext(persona_type="service")).model,
    "report": lambda ai: ai.generate_report({"n": 1}, ReportOptions("日报")).model,
    "picture": lambda ai: ai.describe_picture(Image("image/png", "aGVsbG8="), PictureOptions()).model,
}


@pytest.mark.parametrize("task", CALLS)
def test_every_task_falls_back(models, task):
    Vendor.script = {"m1": [ProviderError("auth", "no")], "m2": [INTENT]}

    assert CALLS[task](AIService()) == "m2"


def test_never_more_than_three_calls_and_then_the_local_model(models):
    Vendor.script = {name: [ProviderError("overloaded", "later")] for name in ("m1", "m2", "m3")}

    ai, answer = reply()

    assert asked() == ["m1", "m2", "m3"]
    assert answer.source == "template"
    assert told(ai)[-1] == ("local", "", [])


def test_the_last_one_is_given_a_second_chance(models):
    PersonaFallback.objects.filter(model=models[2]).delete()
    caches.clear()
    Vendor.script = {"m1": [ProviderError("overloaded", "no")], "m2": [ProviderError("overloaded", "no"), "好的。"]}

    assert reply()[1].model == "m2"
    assert asked() == ["m1", "m2", "m2"]


def test_an_intent_is_mended_before_the_next_is_asked(models):
    Vendor.script = {"m1": ["我觉得是退款", INTENT]}
    ai = AIService()

    assert ai.recognize_intent("如何退款？", AIContext(persona_type="service")).model == "m1"
    assert asked() == ["m1", "m1"]


def test_models_that_hang_leave_time_for_the_next_and_for_the_local_one(models):
    Vendor.script = {"m1": [hang], "m2": [hang]}
    PersonaFallback.objects.filter(model=models[2]).delete()
    caches.clear()
    started = time.monotonic()

    ai, answer = reply(deadline_s=3.0)

    assert time.monotonic() - started < 3.0
    assert asked() == ["m1", "m2"]
    assert answer.source == "template"
    first, second = (request.timeout for _name, request in Vendor.asked)
    assert 1.0 < first <= 1.25  # half of what the local model leaves
    assert 1.0 < second <= 1.25
    assert told(ai)[-1] == ("local", "", [])


def test_what_cannot_be_asked_is_told_with_its_reason(models):
    AIModel.objects.filter(name="m1").update(is_active=False)
    AIModel.objects.filter(name="m2").update(capabilities=["report"])
    caches.clear()

    ai, answer = reply()

    assert answer.model == "m3"
    assert told(ai) == [("m3", "", [("m1", "inactive"), ("m2", "not_capable")])]


def test_with_nobody_left_the_local_call_tells_why(models):
    AIModel.objects.update(is_active=False)
    caches.clear()

    ai, _answer = reply()

    assert told(ai) == [("local", "", [(name, "inactive") for name in ("m1", "m2", "m3")])]


def test_a_fallback_for_one_capability_serves_only_that(models):
    PersonaFallback.objects.all().delete()
    PersonaFallback.objects.create(
        persona=Persona.objects.get(slug="service"), model=models[1], capability="intent_recognition"
    )
    caches.clear()
    Vendor.script = {"m1": [ProviderError("auth", "no")], "m2": [INTENT]}

    assert reply()[1].source == "template"
    assert AIService().recognize_intent("如何退款？", AIContext(persona_type="service")).model == "m2"


def test_a_local_model_in_the_middle_ends_the_chain(models):
    AIModel.objects.filter(name="m2").update(provider="local")
    caches.clear()
    Vendor.script = {"m1": [ProviderError("auth", "no")]}

    assert reply()[1].source == "template"
    assert asked() == ["m1"]


def test_a_model_that_keeps_failing_is_passed_over(models):
    Vendor.script = {"m1": [ProviderError("overloaded", "no")]}
    for _ in range(10):
        reply()
    Vendor.asked = []

    ai, answer = reply()

    assert (asked(), answer.model) == (["m2"], "m2")
    assert told(ai) == [("m2", "", [("m1", "breaker_open")])]
    assert ai.scope.calls[0].request["passed_over"][0]["wait_s"] > 0


@pytest.mark.parametrize("kind", ["content_policy", "bad_request", "truncated"])
def test_what_says_nothing_about_the_model_opens_nothing(models, kind):
    Vendor.script = {"m1": [ProviderError(kind, "no")]}

    for _ in range(15):
        reply()

    assert asked().count("m1") == 15


def test_answers_that_we_do_not_like_open_nothing(models):
    Vendor.script = {"m1": ["您的消息已被标记为风险"]}

    for _ in range(15):
        reply()

    assert asked().count("m1") == 2 * 15  # each was told once what was wrong


def test_a_breaker_held_open_is_not_passed_and_one_held_closed_always(models):
    hold = {"set_by": "owner", "set_at": clock.now()}
    BreakerHold.objects.create(model=models[0], state="open", **hold)
    BreakerHold.objects.create(model=models[1], capability="service_reply", state="closed", **hold)
    caches.clear()
    Vendor.script = {"m2": [ProviderError("overloaded", "no")]}

    for _ in range(12):
        ai, answer = reply()

    assert asked().count("m1") == 0
    assert asked().count("m2") == 12
    assert told(ai)[0] == ("m2", "overloaded", [("m1", "held_open")])
    assert answer.model == "m3"


def test_a_limited_model_is_passed_over_when_its_minute_is_used_up(models):
    AIModel.objects.filter(name="m1").update(requests_per_minute=2)
    caches.clear()

    answers = [reply()[1].model for _ in range(4)]

    assert answers == ["m1", "m1", "m2", "m2"]


def test_tokens_are_limited_too(models):
    AIModel.objects.filter(name="m1").update(tokens_per_minute=40)
    caches.clear()

    answers = [reply()[1].model for _ in range(4)]

    assert answers == ["m1", "m2", "m2", "m2"]  # 30 used; the next may use more than 10


def test_a_vendor_that_names_a_time_is_left_alone_for_it(models):
    Vendor.script = {"m1": [ProviderError("rate_limit", "slow down", retry_after=60.0), "好的。"]}

    reply()
    ai, answer = reply()

    assert answer.model == "m2"
    assert told(ai) == [("m2", "", [("m1", "paused")])]


def test_a_short_pause_is_waited_for_where_no_other_follows(models):
    PersonaFallback.objects.all().delete()
    caches.clear()
    Vendor.script = {"m1": [ProviderError("rate_limit", "slow down", retry_after=0.3), "好的。"]}

    assert reply()[1].model == "m1"
    assert asked() == ["m1", "m1"]


def test_redis_away_breakers_and_limits_go_on_in_this_process(models, store_away):
    Vendor.script = {"m1": [ProviderError("overloaded", "no")]}
    AIModel.objects.filter(name="m2").update(requests_per_minute=12)
    caches.clear()

    answers = [reply()[1].model for _ in range(14)]

    assert asked().count("m1") == 10
    assert answers == ["m2"] * 12 + ["m3"] * 2


def test_redis_that_does_not_answer_costs_the_calls_next_to_nothing(models, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_BROKER_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        gates.forget()
        started = time.monotonic()

        answers = {reply(deadline_s=3.0)[1].model for _ in range(3)}

        assert answers == {"m1"}
        assert time.monotonic() - started < 3.0


def test_once_redis_is_back_what_others_know_holds_again(models, settings, monkeypatch):
    url = settings.REDIS_BROKER_URL
    Vendor.script = {"m1": [ProviderError("overloaded", "no")]}
    for _ in range(10):
        reply()
    settings.REDIS_BROKER_URL = "redis://127.0.0.1:9/0"
    gates.forget()
    reply()
    settings.REDIS_BROKER_URL = url
    monkeypatch.setattr(gates, "_away_until", time.monotonic() - 1.0)
    monkeypatch.setattr(gates, "_known", {})
    Vendor.asked = []

    assert reply()[1].model == "m2"
    assert asked() == ["m2"]
