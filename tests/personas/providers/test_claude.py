"""Anthropic's dialect, API version 2026-10-21. https://platform.claude.com/docs/en/api/errors and the types of
anthropic 2.12.0 (as of 2026-11-22).
"""

from __future__ import annotations

import pytest

from personas.providers import ChatMessage, ChatRequest, ProviderError
from personas.providers.claude import OPENING
from tests.personas.providers.test_every_vendor import PICTURE, REQUEST, SCHEMA
from tests.personas.providers.vendors import VENDORS
from tests.wire import Scripted

CLAUDE = VENDORS["claude"]


def body(wire, request=REQUEST, **config):
    wire.answers(CLAUDE.ok("{}"))
    CLAUDE.provider(wire.url, **config).chat(request)
    return wire.asked[-1].json()


def test_the_system_prompt_has_its_own_place_and_no_temperature_is_sent(wire):
    history = (ChatMessage("system", "你是客服。"), ChatMessage("user", "在吗"))

    assert body(wire, ChatRequest(history, 0.5, 50, 5.0)) == {
        "model": "model-1",
        "max_tokens": 50,
        "system": "你是客服。",
        "messages": [{"role": "user", "content": "在吗"}],
    }


def test_a_conversation_that_the_robot_opened_begins_with_a_customers_turn(wire):
    history = (ChatMessage("assistant", "欢迎！"), ChatMessage("user", "在吗"))

    assert [m["content"] for m in body(wire, ChatRequest(history, 0.5, 50, 5.0))["messages"]] == [
        OPENING,
        "欢迎！",
        "在吗",
    ]


def test_an_intent_is_held_to_its_schema(wire):
    as_json = ChatRequest(REQUEST.messages, 0.0, 50, 5.0, as_json=True, schema=SCHEMA)

    assert body(wire, as_json, effort="low", thinking="off")["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": SCHEMA},
    }
    assert wire.asked[-1].json()["thinking"] == {"type": "disabled"}
    assert "output_config" not in body(wire, as_json, structured="text")


def test_a_picture_goes_before_its_question(wire):
    sent = body(wire, ChatRequest((ChatMessage("user", "这是什么？", (PICTURE,)),), 0.5, 50, 5.0))

    assert sent["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}},
        {"type": "text", "text": "这是什么？"},
    ]


def test_thoughts_are_no_part_of_the_answer(wire):
    answer = CLAUDE.answer("您好")
    answer["content"].insert(0, {"type": "thinking", "thinking": "他要…", "signature": "x"})
    wire.answers(Scripted(answer))

    assert CLAUDE.provider(wire.url).chat(REQUEST).text == "您好"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (402, "billing_error", "quota"),
        (529, "overloaded_error", "overloaded"),
        (504, "timeout_error", "timeout"),
        (413, "request_too_large", "bad_request"),
    ],
)
def test_its_types_say_what_its_status_means(wire, status, code, kind):
    wire.answers(CLAUDE.fails(status, code))

    with pytest.raises(ProviderError) as caught:
        CLAUDE.provider(wire.url).chat(REQUEST)

    assert caught.value.kind == kind


def test_a_spending_limit_is_told_from_a_rate_limit(wire):
    document = CLAUDE.error("rate_limit_error")
    document["error"]["details"] = {"error_code": "enforced_spend_limit_reached"}
    wire.answers(Scripted(document, 429))

    with pytest.raises(ProviderError) as caught:
        CLAUDE.provider(wire.url).chat(REQUEST)

    assert caught.value.kind == "quota"
