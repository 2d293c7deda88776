from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from personas.selection import (
    BUILT_IN,
    Cast,
    ModelSnapshot,
    required_capability,
    select_persona,
    why_unusable,
)
from personas.types import PersonaSnapshot
from worktool_ai.lib.crypto import Secret


def persona(role_type: str) -> PersonaSnapshot:
    return replace(BUILT_IN, id=uuid4(), slug=role_type, role_type=role_type)


PERSONAS = {p.id: p for p in map(persona, ["assistant", "conversion", "service"])}
CAST = Cast(personas=PERSONAS, mappings={"营销": "conversion", "客服": "service"})


def chosen(cast=CAST, persona_id=None, group="", robot_type="") -> str:
    return select_persona(cast, persona_id, group, robot_type).role_type


def test_the_robots_own_persona_comes_first():
    own = next(p for p in PERSONAS.values() if p.role_type == "service")
    assert chosen(persona_id=own.id, group="营销") == "service"


def test_then_the_group_then_the_type_then_the_assistant():
    assert chosen(group="营销", robot_type="客服") == "conversion"
    assert chosen(group="别的", robot_type="客服") == "service"
    assert chosen(group="别的", robot_type="别的") == "assistant"


def test_an_own_persona_that_is_switched_off_counts_as_none():
    assert chosen(persona_id=uuid4(), group="营销") == "conversion"


def test_without_a_persona_of_the_type_the_assistant_serves_and_without_any_the_built_in_one():
    assert chosen(replace(CAST, mappings={"营销": "community"}), group="营销") == "assistant"
    assert select_persona(Cast(), None, "", "") is BUILT_IN


@pytest.mark.parametrize(
    ("task", "role_type", "capability"),
    [
        ("intent", "service", "intent_recognition"),
        ("report", "service", "report"),
        ("reply", "service", "service_reply"),
        ("reply", "tech_support", "service_reply"),
        ("reply", "customer_relation", "service_reply"),
        ("reply", "conversion", "conversion"),
        ("reply", "community", "chat"),
        ("reply", "assistant", "chat"),
        ("reply", "product_info", "chat"),
    ],
)
def test_each_call_needs_its_capability(task, role_type, capability):
    assert required_capability(task, role_type) == capability


MODEL = ModelSnapshot(
    id=uuid4(),
    name="m",
    provider="custom",
    model_id="m",
    capabilities=frozenset({"chat"}),
    is_active=True,
    endpoint="https://llm.example.com/v1",
    api_key=Secret(""),
    config={},
)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (None, "no_model"),
        (replace(MODEL, is_active=False), "inactive"),
        (replace(MODEL, provider="gone"), "unknown_provider"),
        (replace(MODEL, capabilities=frozenset()), "not_capable"),
        (replace(MODEL, endpoint=""), "no_endpoint"),
        (MODEL, None),
    ],
)
def test_an_unusable_model_says_why(model, reason):
    assert why_unusable(model, "chat") == reason
