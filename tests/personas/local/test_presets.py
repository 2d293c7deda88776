from __future__ import annotations

import pytest

from personas.local.presets import PresetError, load_intents, load_personas
from personas.local_model import HANDING_OVER
from personas.models import Capability, PersonaType
from templates_lib.library import load_library

ROLES = ["community", "service", "conversion", "tech_support", "product_info", "customer_relation", "assistant"]


def test_the_seven_personas_of_the_plan():
    presets = load_personas()
    assert [persona.role_type for persona in presets.personas] == ROLES == PersonaType.values
    assert [persona.name for persona in presets.personas] == [
        "社群运营机器人", "售后处理机器人", "转化客服机器人", "技术支持机器人",
        "产品咨询机器人", "客户关系机器人", "智能助手机器人",
    ]  # fmt: skip
    assert all(set(persona.capabilities) <= set(Capability.values) for persona in presets.personas)
    assert presets.personas[1].system_prompt == (
        "你是一个专业的售后客服，负责：\n1. 耐心倾听用户问题\n2. 提供专业的解决方案\n3. 跟进问题处理进度\n"
        "4. 收集用户反馈\n5. 提升用户满意度"
    )


def test_robots_get_their_persona_by_group_or_type():
    presets = load_personas()
    assert {m.word: m.role_type for m in presets.mappings} == {
        "营销": "conversion", "社群": "community", "售后": "service", "技术支持": "tech_support", "客服": "service",
        "角色": "conversion", "助手": "assistant",
    }  # fmt: skip
    assert presets.default_role_type == "assistant"


def test_the_nine_intents():
    intents = load_intents()
    assert [i.key for i in intents] == [
        "service", "help", "conversion", "chat", "welcome", "risk", "spam", "admin", "unclear",
    ]  # fmt: skip
    assert [i.key for i in intents if i.needs_human] == ["risk"]


def test_categories_that_promise_a_colleague_are_those_that_hand_over():
    assert {c.name for c in load_library().categories if c.needs_human} == HANDING_OVER


@pytest.mark.parametrize("text", ["{", "- a", "personas: []"])
def test_a_broken_file_is_named(tmp_path, text):
    path = tmp_path / "p.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(PresetError, match=r"p\.yaml"):
        load_personas(path)
