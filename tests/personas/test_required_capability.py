"""Each kind of call needs one capability of its model; without it the vendor is not asked, with it alone it is."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from personas import caches
from personas.models import AIModel, Capability, Persona, PersonaType
from personas.providers import TEXT_AND_IMAGES, Answer, ChatMessage, Image, Provider, registry
from personas.selection import required_capability
from personas.service import AIService
from personas.types import AIContext, CallKind, GenerateOptions, PictureOptions, ReportOptions, TaskName
from tests.planted import plant_personas

pytestmark = pytest.mark.django_db

INTENT = json.dumps({"intent": "service", "topic": None, "confidence": 0.9, "why": "问退款"})
PICTURE = Image("image/png", "aGVsbG8=")

LINE = [ChatMessage("user", "如何退款？")]

CALLS = {
    "intent": lambda ai, role: ai.recognize_intent("如何退款？", AIContext(persona_type=role)),
    "reply": lambda ai, role: ai.generate_reply(
        [ChatMessage("user", "如何退款？")], GenerateOptions(persona_type=role)
    ),
    "report": lambda ai, role: ai.generate_report({"n": 1}, ReportOptions("日报", persona_id=persona_id(role))),
    "picture": lambda ai, role: ai.describe_picture(PICTURE, PictureOptions(persona_type=role)),
}
#: health asks a model as such, whatever it is used for; audio is never asked
WITHOUT_NEED = {"health"}


class AskedVendor(Provider):
    """Remembers that it was asked."""

    key = "asked"
    label = "Asked"
    needs_key = False
    offers = TEXT_AND_IMAGES
    asked: int = 0

    def chat(self, request):
        type(self).asked += 1
        return Answer(INTENT if request.as_json else "好的，马上为您看。", "asked-1")


def persona_id(role: str) -> str:
    return str(Persona.objects.get(role_type=role).id)


@pytest.fixture
def model():
    plant_personas()
    with registry.temporarily(AskedVendor):
        row = AIModel.objects.create(name="云模型", provider="asked", model_id="a1", is_active=True)
        Persona.objects.update(model=row)
        yield row


def asked(model: AIModel, capabilities: set[str], kind: str, role: str) -> bool:
    model.capabilities = sorted(capabilities)
    model.save(update_fields=["capabilities"])
    caches.clear()
    AskedVendor.asked = 0
    CALLS[kind](AIService(), role)
    return AskedVendor.asked > 0


def test_every_kind_of_call_is_walked_here():
    assert set(CALLS) | WITHOUT_NEED == set(get_args(TaskName))
    assert {kind for part in get_args(CallKind) for kind in (get_args(part) or (part,))} == {
        *get_args(TaskName),
        "audio",
    }


def test_a_vendor_is_asked_exactly_when_its_model_has_what_the_call_needs(model):
    for kind in CALLS:
        for role in PersonaType.values if kind == "reply" else ["service"]:  # only a reply depends on who speaks
            needed = required_capability(kind, role)
            assert asked(model, {needed}, kind, role), (kind, role)
            assert not asked(model, set(Capability.values) - {needed}, kind, role), (kind, role)


@pytest.mark.parametrize(
    ("kind", "role", "needed"),
    [
        ("intent", "service", "intent_recognition"),
        ("reply", "service", "service_reply"),
        ("reply", "tech_support", "service_reply"),
        ("reply", "customer_relation", "service_reply"),
        ("reply", "conversion", "conversion"),
        ("reply", "community", "chat"),
        ("reply", "product_info", "chat"),
        ("reply", "assistant", "chat"),
        ("report", "assistant", "report"),
        ("picture", "service", "image_analysis"),
        ("audio", "service", "voice_processing"),
    ],
)
def test_what_a_call_needs_is_what_the_interface_says(kind, role, needed):
    assert required_capability(kind, role) == needed


def test_no_provider_promises_to_listen():
    assert not [plugin.key for plugin in registry if "voice_processing" in plugin.offers]


def test_a_capability_beyond_the_provider_counts_for_nothing(model, monkeypatch):
    monkeypatch.setattr(AskedVendor, "offers", frozenset({"chat"}))

    assert not asked(model, set(Capability.values), "picture", "service")


def test_what_is_seen_is_recorded_without_the_picture(model):
    model.capabilities = ["image_analysis"]
    model.save()
    caches.clear()
    ai = AIService()

    seen = ai.describe_picture(PICTURE, PictureOptions(persona_type="service"))

    assert (seen.text, seen.provider) == ("好的，马上为您看。", "asked")
    (call,) = ai.scope.calls
    assert call.task == "picture"
    assert call.request["messages"][-1]["images"] == 1
    assert PICTURE.data not in json.dumps(call.to_json(), ensure_ascii=False)


def test_without_a_model_that_sees_nobody_pretends_to(model):
    assert AIService().describe_picture(PICTURE, PictureOptions()) is None
