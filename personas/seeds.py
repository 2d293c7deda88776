"""Plants intents, rules, models, personas and the mapping of robot groups to personas."""

from __future__ import annotations

from personas import caches
from personas.local.presets import PersonaPreset, load_intents, load_personas
from personas.local.rules import Rule, load_rules
from personas.model_presets import ModelPreset, load_models
from personas.models import AIModel, Intent, IntentRule, Persona, PersonaMapping
from personas.prompt_versions import number_prompt
from personas.providers import registry
from templates_lib.models import TemplateCategory
from worktool_ai.accounts.seeding import plant

__all__ = ["LOCAL_MODEL_NAME", "seed"]

LOCAL_MODEL_NAME = "本地模型"
EXAMPLE_MODEL_NAME = "自定义模型（示例）"

#: In the order in which people read them.
TEXT_CAPABILITIES = ["intent_recognition", "service_reply", "conversion", "report", "chat"]


def seed() -> int:
    """Plant what was never planted here; returns how many rows that were. Categories must stand already."""
    planted = _seed_intents() + _seed_rules() + _seed_models() + _seed_personas()
    caches.clear()
    return len(planted)


def _seed_intents() -> list[str]:
    rows = {
        f"intent:{intent.key}": Intent(
            key=intent.key,
            name=intent.name,
            description=intent.description,
            needs_human=intent.needs_human,
            order=intent.order,
        )
        for intent in load_intents()
    }
    return plant(rows)


def _seed_rules() -> list[str]:
    """Rules of an intent or topic that an operator deleted stay away with it."""
    intents = set(Intent.objects.values_list("key", flat=True))
    topics = {row.name: row for row in TemplateCategory.objects.all()}
    usable = [r for r in load_rules() if r.intent in intents and (r.topic is None or r.topic in topics)]
    return plant({f"rule:{r.slug}": _rule(r, topics[r.topic] if r.topic else None) for r in usable})


def _rule(rule: Rule, topic: TemplateCategory | None) -> IntentRule:
    return IntentRule(
        slug=rule.slug,
        intent_id=rule.intent,
        topic=topic,
        phrases=list(rule.phrases),
        patterns=list(rule.patterns),
        excludes=list(rule.excludes),
        weight=rule.weight,
        note=rule.note,
        is_active=rule.active,
    )


def _seed_models() -> list[str]:
    custom = registry.get("custom")
    local = AIModel(
        name=LOCAL_MODEL_NAME,
        provider="local",
        model_type="rules",
        capabilities=TEXT_CAPABILITIES,
        is_active=True,
        config=registry.get("local").Config().dump(),
    )
    example = AIModel(
        name=EXAMPLE_MODEL_NAME,
        provider="custom",
        model_id="your-model",
        capabilities=TEXT_CAPABILITIES,
        is_active=False,
        api_endpoint="https://llm.example.com/v1",
        config=custom.Config().dump(),
    )
    presets = {f"model:{preset.slug}": _preset_model(preset) for preset in load_models()}
    return plant({"model:local": local, "model:custom-example": example, **presets})


def _preset_model(preset: ModelPreset) -> AIModel:
    """Inactive and without a key: whoever has one fills it in."""
    plugin = registry.get(preset.provider)
    return AIModel(
        name=preset.full_name,
        provider=preset.provider,
        model_id=preset.model_id,
        capabilities=[*TEXT_CAPABILITIES, "image_analysis"] if preset.sees else TEXT_CAPABILITIES,
        is_active=False,
        api_endpoint=plugin.default_endpoint,
        config=plugin.Config(**preset.config).dump(),
        note=preset.note,
    )


def _seed_personas() -> list[str]:
    presets = load_personas()
    local = AIModel.objects.filter(name=LOCAL_MODEL_NAME).first()
    mappings = {
        f"persona-mapping:{m.word}": PersonaMapping(word=m.word, role_type=m.role_type) for m in presets.mappings
    }
    planted = plant({f"persona:{p.slug}": _persona(p, local) for p in presets.personas})
    for persona in Persona.objects.filter(versions__isnull=True):
        number_prompt(persona, "seed")
    return planted + plant(mappings)


def _persona(preset: PersonaPreset, model: AIModel | None) -> Persona:
    return Persona(
        slug=preset.slug,
        name=preset.name,
        role_type=preset.role_type,
        scenes=preset.scenes,
        description=preset.description,
        system_prompt=preset.system_prompt,
        temperature=preset.temperature,
        max_tokens=preset.max_tokens,
        capabilities=list(preset.capabilities),
        model=model,
    )
