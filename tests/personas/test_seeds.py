from __future__ import annotations

from typing import get_args

import pytest

from personas import caches, seeds
from personas.chain import build_provider
from personas.local.rules import load_rules
from personas.model_presets import load_models
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


def test_the_plans_models_and_todays_are_planted_inactive_dated_and_without_keys():
    seeds.seed()

    planted = AIModel.objects.exclude(provider__in=["local", "custom"])
    assert planted.count() == len(load_models())
    assert {"doubao-pro-4k", "doubao-pro-32k", "gpt-4", "gpt-3.5-turbo", "claude-3-opus-20240229"} <= set(
        planted.values_list("model_id", flat=True)
    )
    assert {"openai", "doubao", "qwen_pro", "aliyun_qwen", "claude"} == set(planted.values_list("provider", flat=True))
    for model in planted:
        assert not model.is_active
        assert not model.api_key
        assert "2026-11-22" in model.note
        model.full_clean()
        build_provider(caches.model_snapshot(model))


def test_what_a_vendor_stopped_says_so_and_names_a_living_successor():
    presets = load_models()
    living = {preset.model_id for preset in presets if not preset.stopped}

    for preset in presets:
        if preset.stopped:
            assert preset.successor in living, preset.slug
            assert preset.successor in preset.note
            assert "已停用" in preset.full_name


def test_the_names_of_the_sdks_are_the_ones_that_they_know():
    from anthropic.resources.messages.messages import DEPRECATED_MODELS
    from anthropic.types.model import Model
    from openai.types.shared.chat_model import ChatModel

    claude = {name for part in get_args(Model) for name in get_args(part)}
    for preset in load_models():
        if preset.provider == "openai":
            assert preset.model_id in get_args(ChatModel)
        elif preset.provider == "claude":
            assert (preset.model_id in DEPRECATED_MODELS) == preset.stopped
            assert preset.stopped or preset.model_id in claude


def test_a_second_time_plants_nothing_and_leaves_edits_alone():
    seeds.seed()
    Persona.objects.filter(slug="service").update(system_prompt="你是小李。")
    IntentRule.objects.all().delete()

    assert seeds.seed() == 0

    assert Persona.objects.get(slug="service").system_prompt == "你是小李。"
    assert not IntentRule.objects.exists()
