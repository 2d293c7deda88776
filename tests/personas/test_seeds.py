from __future__ import annotations

import pytest

from personas import caches, seeds
from personas.local.rules import load_rules
from personas.models import AIModel, Intent, IntentRule, Persona, PersonaMapping
from personas.selection import why_unusable
from templates_lib import seeds as template_seeds

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _categories():
    template_seeds.seed()


def test_personas_intents_rules_and_mappings_of_the_plan_are_planted():
    seeds.seed()

    assert set(Persona.objects.values_list("role_type", flat=True)) == {
        "community",
        "service",
        "conversion",
        "tech_support",
        "product_info",
        "customer_relation",
        "assistant",
    }
    assert Intent.objects.count() == 9
    assert list(Intent.objects.filter(needs_human=True).values_list("key", flat=True)) == ["risk"]
    assert IntentRule.objects.count() == len(load_rules())
    assert PersonaMapping.objects.get(word="营销").role_type == "conversion"


def test_the_local_model_serves_every_persona_and_the_example_none():
    seeds.seed()

    cast = caches.cast()
    assert {why_unusable(cast.model_of(persona)) for persona in cast.personas.values()} == {None}
    example = AIModel.objects.get(provider="custom")
    assert not example.is_active
    assert not example.api_key


def test_a_second_time_plants_nothing_and_leaves_edits_alone():
    seeds.seed()
    Persona.objects.filter(slug="service").update(system_prompt="你是小李。")
    IntentRule.objects.all().delete()

    assert seeds.seed() == 0

    assert Persona.objects.get(slug="service").system_prompt == "你是小李。"
    assert not IntentRule.objects.exists()
