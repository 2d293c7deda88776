"""An OpenAI-compatible endpoint, spoken to over a real socket.

Wire format: https://platform.openai.com/docs/api-reference/chat/create (as of 2026-11).
"""

from __future__ import annotations

import json
import time

import pytest

from personas.providers import ChatMessage, ChatRequest, ProviderError
from personas.providers.custom import CustomConfig, CustomProvider
from tests.wire import Scripted, running_wire_server

REQUEST = ChatRequest((ChatMessage("user", "你好"),), temperature=0.5, max_tokens=50, timeout=5.0)


def provider(url: str, **config) -> CustomProvider:
    fields = {"allow_private": True, **config}
    return CustomProvider(CustomConfig(**fields), api_key="sk-1", endpoint=f"{url}/v1", model_id="m1")


def completion(content="您好！", finish_reason="stop", **message):
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m1-2026",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": content, **message},
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


def error(status: int, code: str = "", message: str = "no", **headers) -> Scripted:
    return Scripted({"error": {"message": message, "code": code, "type": ""}}, status, headers)


def failure(wire, scripted, request=REQUEST, **config) -> ProviderError:
    wire.answers(scripted)
    with pytest.raises(ProviderError) as caught:
        provider(wire.url, **config).chat(request)
    return caught.value


def test_the_request_is_what_the_wire_format_wants(wire):
    wire.answers(Scripted(completion()))

    provider(wire.url).chat(REQUEST)

    (asked,) = wire.asked
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.headers["authorization"] == "Bearer sk-1"
    assert "x-stainless-os" not in asked.headers
    assert asked.json() == {
        "model": "m1",
        "messages": [{"role": "user", "content": "你好"}],
        "temperature": 0.5,
        "max_tokens": 50,
    }


def test_the_answer_comes_with_its_model_and_tokens(wire):
    wire.answers(Scripted(completion()))

    answer = provider(wire.url).chat(REQUEST)

    assert (answer.text, answer.model) == ("您好！", "m1-2026")
    assert (answer.prompt_tokens, answer.completion_tokens) == (7, 3)


def test_an_answer_is_read_whatever_type_it_claims_to_have(wire):
    wire.answers(Scripted(json.dumps(completion()), headers={"Content-Type": "text/plain"}))

    assert provider(wire.url).chat(REQUEST).text == "您好！"


def test_unknown_tokens_stay_unknown(wire):
    wire.answers(Scripted({**completion(), "usage": None}))

    answer = provider(wire.url).chat(REQUEST)

    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)


def test_json_is_asked_for_only_where_the_endpoint_knows_it(wire):
    wire.answers(Scripted(completion("{}")))
    as_json = ChatRequest(REQUEST.messages, 0.0, 50, 5.0, as_json=True)

    provider(wire.url).chat(as_json)
    provider(wire.url, structured="text", max_tokens_field="max_completion_tokens").chat(as_json)

    first, second = (asked.json() for asked in wire.asked)
    assert first["response_format"] == {"type": "json_object"}
    assert "response_format" not in second
    assert second["max_completion_tokens"] == 50


@pytest.mark.parametrize(
    ("scripted", "kind"),
    [
        (error(401, "invalid_api_key"), "auth"),
        (error(403), "auth"),
        (error(402), "quota"),
        (error(429, "insufficient_quota"), "quota"),
        (error(429), "rate_limit"),
        (error(400), "bad_request"),
        (error(404), "bad_request"),
        (error(400, "content_filter"), "content_policy"),
        (error(500), "overloaded"),
        (error(503), "overloaded"),
        (Scripted("<html>gateway</html>", 502), "overloaded"),
        (Scripted(completion("半句", finish_reason="length")), "truncated"),
        (Scripted(completion("", finish_reason="content_filter")), "content_policy"),
        (Scripted(completion(None, refusal="no")), "content_policy"),
        (Scripted({**completion(), "choices": []}), "bad_answer"),
        (Scripted({**completion(), "choices": {"message": "?"}}), "bad_answer"),
        (Scripted(["?"]), "bad_answer"),
        (Scripted({"hello": 1}), "bad_answer"),
        (Scripted("not json at all"), "bad_answer"),
        (Scripted("{broken", headers={"Content-Type": "application/json"}), "bad_answer"),
        (Scripted(completion("长" * 100), cut_after=40), "unreachable"),
    ],
)
def test_errors_come_in_our_words(wire, scripted, kind):
    assert failure(wire, scripted).kind == kind
    assert len(wire.asked) == 1, "the SDK must not retry on its own"


def test_the_vendors_wish_to_be_left_alone_is_passed_on(wire):
    assert failure(wire, error(429, **{"Retry-After": "7"})).retry_after == 7.0
    assert failure(wire, error(429)).retry_after is None
    assert failure(wire, error(429, **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})).retry_after is None


def test_a_slow_model_is_given_up_at_the_deadline(wire):
    started = time.monotonic()
    slow = Scripted(completion(), before=lambda: time.sleep(1.5))

    late = failure(wire, slow, ChatRequest(REQUEST.messages, 0.5, 50, timeout=0.2))

    assert late.kind == "timeout"
    assert time.monotonic() - started < 1.4


def test_nobody_listening_is_unreachable():
    with running_wire_server() as gone:
        url = gone.url

    with pytest.raises(ProviderError) as caught:
        provider(url).chat(REQUEST)

    assert caught.value.kind == "unreachable"


def test_a_private_address_is_refused_unless_allowed(wire):
    refused = failure(wire, Scripted(completion()), allow_private=False)

    assert refused.kind == "bad_request"
    assert "public" in refused.message
    assert not wire.asked


def test_a_key_never_stands_in_an_error(wire):
    assert "sk-1" not in failure(wire, error(401, "invalid_api_key")).message


def test_a_stored_configuration_of_the_first_shape_is_brought_up_to_date():
    assert CustomConfig.load({"config_version": 1, "json_mode": False, "timeout_s": 8}).structured == "text"
    assert CustomConfig.load({"config_version": 1, "json_mode": True}).structured == "json_object"
