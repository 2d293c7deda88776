"""Qwen behind OpenAI's format. https://help.aliyun.com/zh/model-studio/qwen-api-via-openai-chat-completions
(as of 2026-11-22).
"""

from __future__ import annotations

import pytest

from personas.providers import ProviderError
from tests.personas.providers.test_every_vendor import REQUEST
from tests.personas.providers.vendors import VENDORS

QWEN = VENDORS["qwen_pro"]


def test_thinking_is_switched_off_in_qwens_own_words(wire):
    wire.answers(QWEN.ok())

    QWEN.provider(wire.url, thinking="off").chat(REQUEST)
    QWEN.provider(wire.url).chat(REQUEST)

    off, default = (asked.json() for asked in wire.asked)
    assert off["enable_thinking"] is False
    assert "enable_thinking" not in default


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(400, "data_inspection_failed", "content_policy"), (400, "Arrearage", "quota"), (429, "", "rate_limit")],
)
def test_its_codes_say_more_than_their_status(wire, status, code, kind):
    wire.answers(QWEN.fails(status, code))

    with pytest.raises(ProviderError) as caught:
        QWEN.provider(wire.url).chat(REQUEST)

    assert caught.value.kind == kind
