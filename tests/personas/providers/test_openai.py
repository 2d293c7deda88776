"""OpenAI's own dialect. Wire format: https://platform.openai.com/docs/api-reference/chat/create (as of 2026-11-22)."""

from __future__ import annotations

from personas.providers import ChatMessage, ChatRequest
from tests.personas.providers.test_every_vendor import PICTURE, REQUEST, SCHEMA
from tests.personas.providers.vendors import VENDORS

OPENAI = VENDORS["openai"]
AS_JSON = ChatRequest(REQUEST.messages, 0.0, 50, 5.0, as_json=True, schema=SCHEMA)


def body(wire, request=REQUEST, **config):
    wire.answers(OPENAI.ok("{}"))
    OPENAI.provider(wire.url, **config).chat(request)
    return wire.asked[-1].json()


def test_the_request_is_what_the_wire_format_wants(wire):
    assert body(wire) == {
        "model": "model-1",
        "messages": [{"role": "user", "content": "你好"}],
        "temperature": 0.5,
        "max_completion_tokens": 50,
    }


def test_an_intent_is_held_to_its_schema(wire):
    assert body(wire, AS_JSON)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
    }
    assert body(wire, AS_JSON, structured="json_object")["response_format"] == {"type": "json_object"}
    assert "response_format" not in body(wire, AS_JSON, structured="text")


def test_a_reasoning_model_gets_an_effort_and_no_temperature(wire):
    sent = body(wire, send_temperature=False, reasoning_effort="none")

    assert sent["reasoning_effort"] == "none"
    assert "temperature" not in sent


def test_a_picture_goes_before_its_question(wire):
    sent = body(wire, ChatRequest((ChatMessage("user", "这是什么？", (PICTURE,)),), 0.5, 50, 5.0))

    assert sent["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}},
        {"type": "text", "text": "这是什么？"},
    ]


def test_its_own_endpoint_is_asked_where_the_model_names_none():
    plugin = type(OPENAI.provider("http://x"))

    assert plugin(plugin.Config(), api_key="k", endpoint="", model_id="m").endpoint == "https://api.openai.com/v1"
