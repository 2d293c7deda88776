"""Ark's dialect. Codes: https://www.volcengine.com/docs/82379/1299023 (page of 2025-11-07, read 2026-11-22)."""

from __future__ import annotations

import pytest

from personas.providers import ProviderError
from tests.personas.providers.test_every_vendor import REQUEST
from tests.personas.providers.vendors import VENDORS

DOUBAO = VENDORS["doubao"]


def test_thinking_is_switched_off_in_arks_own_words(wire):
    wire.answers(DOUBAO.ok())

    DOUBAO.provider(wire.url, thinking="off").chat(REQUEST)
    DOUBAO.provider(wire.url).chat(REQUEST)

    off, default = (asked.json() for asked in wire.asked)
    assert off["thinking"] == {"type": "disabled"}
    assert "thinking" not in default


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "SensitiveContentDetected.SevereViolation", "content_policy"),
        (400, "InputTextSensitiveContentDetected", "content_policy"),
        (403, "AccountOverdueError", "quota"),
        (403, "AccessDenied", "auth"),
        (404, "InvalidEndpointOrModel.NotFound", "bad_request"),
        (429, "RateLimitExceeded.EndpointTPMExceeded", "rate_limit"),
        (429, "QuotaExceeded", "quota"),
        (429, "ServerOverloaded", "overloaded"),
    ],
)
def test_arks_codes_say_more_than_their_status(wire, status, code, kind):
    wire.answers(DOUBAO.fails(status, code))

    with pytest.raises(ProviderError) as caught:
        DOUBAO.provider(wire.url).chat(REQUEST)

    assert caught.value.kind == kind
