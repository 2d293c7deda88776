"""Copies in memory of what the AI layer reads for every line; each follows changes within two seconds.

============  ===========================================  ==========================================
copy          tables                                       holds
============  ===========================================  ==========================================
``cast``      personas, models with held breakers,         :class:`personas.selection.Cast`
              fallbacks, mappings, intents, topics
``rules``     intent rules, intents, topics                a built :class:`CombinedRecogniser` with the small model
============  ===========================================  ==========================================
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any
from uuid import UUID

from personas.local.combined import CombinedRecogniser
from personas.local.model import IntentModel, ModelError
from personas.local.rules import Rule
from personas.models import (
    AIModel,
    BreakerHold,
    Intent,
    IntentRule,
    Persona,
    PersonaFallback,
    PersonaMapping,
    PromptVersion,
    new_canary,
)
from personas.selection import Cast, Fallback, IntentSnapshot, ModelSnapshot
from personas.types import PersonaSnapshot
from templates_lib import caches as template_caches
from templates_lib.models import TemplateCategory
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.db import borrowed
from worktool_ai.lib.logs import get_logger

__all__ = ["cast", "clear", "model_snapshot", "persona_snapshot", "recogniser", "rule_of"]

logger = get_logger(__name__)


def cast() -> Cast:
    """Return the personas, models, mappings, intents and topics in force."""
    return _cast.get()


def recogniser() -> CombinedRecogniser:
    """Return the recogniser of the active intent rules, with the small model."""
    return _rules.get()


def clear() -> None:
    """Forget all copies, those of the templates too, so that this process sees its own changes at once."""
    template_caches.clear()
    _cast.clear()
    _rules.clear()


def _load_cast() -> Cast:
    with borrowed():
        rows = list(Persona.objects.filter(is_active=True).order_by("slug"))
        latest = {version.persona_id: version for version in PromptVersion.latest(rows)}
        return Cast(
            personas={row.id: persona_snapshot(row, latest.get(row.id)) for row in rows},
            models={row.id: model_snapshot(row) for row in AIModel.objects.prefetch_related("holds")},
            fallbacks=_fallbacks(),
            mappings=dict(PersonaMapping.objects.values_list("word", "role_type")),
            intents={row.key: _intent(row) for row in Intent.objects.filter(is_active=True)},
            topics=tuple(TemplateCategory.objects.values_list("name", flat=True)),
        )


def persona_snapshot(row: Persona, version: PromptVersion | None) -> PersonaSnapshot:
    """Return a persona's row, with its latest version, as the chain uses it.

    A prompt that was changed past the service has no version: its calls keep it themselves.
    """
    numbered = version if version and version.says_the_same_as(row) else None
    return PersonaSnapshot(
        id=row.id,
        slug=row.slug,
        name=row.name,
        role_type=row.role_type,
        system_prompt=row.system_prompt,
        temperature=float(row.temperature),
        max_tokens=row.max_tokens,
        capabilities=tuple(row.capabilities),
        model_id=row.model_id,
        version_id=numbered.id if numbered else None,
        canary=numbered.canary if numbered else new_canary(),
        history_tokens=row.history_tokens,
    )


def _fallbacks() -> dict[UUID, tuple[Fallback, ...]]:
    found: dict[UUID, list[Fallback]] = defaultdict(list)
    for row in PersonaFallback.objects.order_by("order", "id"):
        found[row.persona_id].append(Fallback(row.model_id, row.capability))
    return {persona_id: tuple(rows) for persona_id, rows in found.items()}


def model_snapshot(row: AIModel) -> ModelSnapshot:
    """Return a model's row as the chain uses it."""
    return ModelSnapshot(
        id=row.id,
        name=row.name,
        provider=row.provider,
        model_id=row.model_id,
        capabilities=frozenset(row.capabilities),
        is_active=row.is_active,
        endpoint=row.api_endpoint,
        api_key=row.api_key,
        config=row.config,
        request_limit=row.requests_per_minute,
        token_limit=row.tokens_per_minute,
        holds={hold.capability: hold.state for hold in row.holds.all()},
        price=row.price,
    )


def _intent(row: Intent) -> IntentSnapshot:
    return IntentSnapshot(row.key, row.name, row.description, row.needs_human)


def _load_recogniser() -> CombinedRecogniser:
    with borrowed():
        rows = IntentRule.objects.filter(is_active=True, intent__is_active=True).select_related("topic")
        rules = [rule for row in rows.order_by("slug") if (rule := _usable_rule(row))]
        intents = Intent.objects.filter(is_active=True).values_list("key", flat=True)
        labels = {*intents, *TemplateCategory.objects.values_list("name", flat=True)}
    return CombinedRecogniser(rules, _model(), labels)


@cache
def _model() -> IntentModel | None:
    """Arrays that cannot be used must not silence the rules."""
    try:
        return IntentModel.load()
    except ModelError as error:
        logger.exception("intent_model_unusable", error=str(error))
        return None


def _usable_rule(row: IntentRule) -> Rule | None:
    """One broken rule (edited past the form) must not silence all others."""
    try:
        return rule_of(row)
    except ValueError as error:
        logger.warning("intent_rule_unusable", rule=row.slug, error=str(error))
        return None


def rule_of(row: IntentRule) -> Rule:
    """Return the local model's form of a row; raises ``ValueError`` for what cannot be searched."""
    fields: dict[str, Any] = {
        "slug": row.slug,
        "intent": row.intent_id,
        "topic": row.topic.name if row.topic else None,
        "phrases": row.phrases,
        "patterns": row.patterns,
        "excludes": row.excludes,
        "weight": row.weight,
        "note": row.note,
    }
    return Rule(**fields)


_cast: VersionedCache[Cast] = VersionedCache(
    _load_cast, Persona, AIModel, BreakerHold, PersonaFallback, PersonaMapping, Intent, TemplateCategory
)
_rules: VersionedCache[CombinedRecogniser] = VersionedCache(_load_recogniser, IntentRule, Intent, TemplateCategory)
