"""Model Studio's native dialect, by dashscope 2.0.2.

Codes: https://help.aliyun.com/zh/dashscope/developer-reference/return-status-code-description (as read 2026-11-22).
"""

from __future__ import annotations

import pytest

from personas.providers import ChatMessage, ChatRequest, ProviderError
from tests.personas.providers.test_every_vendor import PICTURE, REQUEST, SCHEMA
from tests.personas.providers.vendors import VENDORS
from tests.wire import Scripted

QWEN = VENDORS["aliyun_qwen"]


def test_the_request_is_what_the_native_format_wants(wire):
    wire.answers(QWEN.ok())
    history = (ChatMessage("system", "你是客服。"), ChatMessage("user", "file:///etc/passwd"))

    QWEN.provider(wire.url, thinking="off").chat(ChatRequest(history, 0.5, 50, 5.0, as_json=True, schema=SCHEMA))

    assert wire.asked[0].json() == {
        "model": "model-1",
        "input": {
            "messages": [
                {"role": "system", "content": "你是客服。"},
                {"role": "user", "content": "file:///etc/passwd"},
            ]
        },
        "parameters": {
            "result_format": "message",
            "temperature": 0.5,
            "max_tokens": 50,
            "enable_thinking": False,
            "response_format": {"type": "json_object"},
        },
    }


def test_a_picture_takes_the_multimodal_way_and_a_text_is_never_a_file_there(wire):
    wire.answers(Scripted(QWEN.answer([{"text": "一只"}, {"text": "猫"}])))
    request = ChatRequest((ChatMessage("user", "file:///etc/passwd", (PICTURE,)),), 0.5, 50, 5.0)

    assert QWEN.provider(wire.url).chat(request).text == "一只猫"

    (asked,) = wire.asked
    assert asked.path == "/api/v1/services/aigc/multimodal-generation/generation"
    assert asked.json()["input"]["messages"] == [
        {"role": "user", "content": [{"image": "data:image/png;base64,aGVsbG8="}, {"text": "file:///etc/passwd"}]}
    ]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "DataInspectionFailed", "content_policy"),
        (400, "Arrearage", "quota"),
        (401, "InvalidApiKey", "auth"),
        (403, "AccessDenied.Unpurchased", "auth"),
        (403, "AllocationQuota.FreeTierOnly", "quota"),
        (429, "Throttling.AllocationQuota", "rate_limit"),
        (408, "RequestTimeOut", "timeout"),
    ],
)
def test_its_codes_say_more_than_their_status(wire, status, code, kind):
    wire.answers(QWEN.fails(status, code))

    with pytest.raises(ProviderError) as caught:
        QWEN.provider(wire.url).chat(REQUEST)

    assert caught.value.kind == kind


def test_a_wish_to_be_left_alone_is_passed_on(wire):
    wire.answers(QWEN.fails(429, **{"Retry-After": "7"}))

    with pytest.raises(ProviderError) as caught:
        QWEN.provider(wire.url).chat(REQUEST)

    assert caught.value.retry_after == 7.0


def test_an_error_status_does_not_hide_behind_a_broken_body(wire):
    wire.answers(Scripted("{broken", 401, {"Content-Type": "application/json"}))

    with pytest.raises(ProviderError) as caught:
        QWEN.provider(wire.url).chat(REQUEST)

    assert caught.value.kind == "auth"
