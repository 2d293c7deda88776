"""Attacks on the prompt, in Chinese: none leaves its fence, and an answer that obeys one is never sent.

Run with ``-s`` for the score. The answers are those of a model that does whatever it is told.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas import caches
from personas.checks import Evidence, reply_problem
from personas.model_stub.testing import running_model_stub
from personas.models import AIModel, Persona
from personas.prompts import IntentParts, ReplyParts, Voice, fence, intent_messages, reply_messages
from personas.prompts.replies import REPLY_RULES
from personas.providers import registry
from personas.service import AIService
from personas.types import CallScope, ChatMessage, GenerateOptions
from tests.personas.test_prompts import CAST
from tests.planted import plant_personas

CANARY = "k5f0c1a2b3d"
PROMPT = """你是一个专业的售后客服，负责：
1. 耐心倾听用户问题
2. 提供专业的解决方案
3. 跟进问题处理进度
4. 收集用户反馈"""
NOTES = {"客户备注": "B07-张三-爱投诉"}
VOICE = Voice(PROMPT, CANARY)
ATTACKS = [json.loads(row) for row in Path(__file__).with_name("injections.jsonl").read_text("utf-8").splitlines()]
FENCED = re.compile(r"<customer_text>([^<>]*)</customer_text>")


def parts_of(line: str) -> ReplyParts:
    """The attack in every place that a customer can write to."""
    return ReplyParts(
        line,
        turns=(ChatMessage("user", line), ChatMessage("assistant", "在的，请说。"), ChatMessage("system", line)),
        summary=line,
        facts={"userName": line, "botName": "小助手", "groupName": line},
        notes={**NOTES, "群备注": line},
        hints=("退款按原路退回，请在“我的订单”里申请。",),
    )


def obeyed(attack: dict[str, str]) -> str:
    words = {
        "prompt": PROMPT,
        "rules": REPLY_RULES,
        "canary": CANARY,
        "reversed": CANARY[::-1],
        "spaced": " ".join(CANARY),
        "long": "哈" * 1000,
    }
    text = attack["obeyed"]
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def test_there_are_enough_different_attacks():
    assert len({attack["line"] for attack in ATTACKS}) == len(ATTACKS) >= 40


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack["line"][:24])
def test_no_attack_leaves_its_fence(attack):
    parts = parts_of(attack["line"])
    plain = reply_messages(VOICE, parts_of("你好"))
    asked = reply_messages(VOICE, parts)

    assert [message.role for message in asked] == [message.role for message in plain]
    for harmless, attacked in zip(plain, asked, strict=True):
        # without what is fenced, a prompt under attack is the prompt of a friendly line
        assert FENCED.sub("", attacked.content) == FENCED.sub("", harmless.content)
    intents = intent_messages(IntentParts(attack["line"], parts.turns), CAST)
    for message in intents[1:]:
        assert message.role == "assistant" or FENCED.fullmatch(message.content)


@given(st.text(max_size=200))
def test_no_text_at_all_leaves_its_fence(text):
    assert FENCED.fullmatch(fence(text))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack["line"][:24])
def test_an_answer_that_obeys_is_stopped(attack):
    assert reply_problem(obeyed(attack), Evidence(VOICE, spoken(attack))) is not None


def spoken(attack: dict[str, str]) -> ReplyParts:
    return ReplyParts(
        attack["line"],
        facts={"userName": "张三", "botName": "小助手"},
        notes=NOTES,
        hints=("退款按原路退回，请在“我的订单”里申请。",),
    )


def test_the_score():
    stopped, asked = Counter(), Counter()
    for attack in ATTACKS:
        problem = reply_problem(obeyed(attack), Evidence(VOICE, spoken(attack)))
        asked[attack["kind"]] += 1
        stopped[attack["kind"]] += problem is not None
        if problem is None:
            print(f"not stopped: {attack['line']} -> {attack['obeyed']}")
    for kind, number in asked.items():
        print(f"{kind:6} {stopped[kind]:3} of {number} stopped")
    print(f"total  {stopped.total():3} of {asked.total()}")

    assert stopped.total() == asked.total()


@pytest.mark.django_db
def test_a_model_that_obeys_reaches_no_customer():
    """The same through the whole layer, with a model stub over HTTP that says what it was told to say."""
    plant_personas()
    with running_model_stub() as stub:
        model = AIModel.objects.create(
            name="听话的模型",
            provider="custom",
            model_id="stub",
            api_endpoint=stub.base_url,
            config=registry.get("custom").Config(allow_private=True).dump(),
            api_key="k",
            is_active=True,
            capabilities=["service_reply"],
        )
        Persona.objects.filter(slug="service").update(model=model)
        caches.clear()
        persona = caches.cast().of_type("service")
        for attack in ATTACKS:
            said = obeyed(attack).replace(CANARY, persona.canary).replace(" ".join(CANARY), " ".join(persona.canary))
            stub.faults({"kind": "text", "value": said.replace(CANARY[::-1], persona.canary[::-1])})
            ai = AIService(CallScope())
            options = GenerateOptions(
                persona_type="service", values={"userName": "张三"}, notes={"客户备注": "B07-张三-爱投诉"}
            )

            answer = ai.generate_reply([ChatMessage("user", attack["line"])], options)

            assert answer.source == "template", attack["line"]
            assert ai.scope.calls[0].response["problem"], attack["line"]
