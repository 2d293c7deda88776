"""What all vendors with a network keep: one deadline, no retries of the SDK's, keys that stand nowhere, true counts."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import pytest
import structlog

from personas.providers import ChatMessage, ChatRequest, Image, ProviderError, registry
from tests.personas.providers.vendors import KEY, VENDORS
from tests.wire import Scripted, running_wire_server
from worktool_ai.lib.redaction import redact

SCHEMA = {"type": "object", "properties": {"intent": {"type": "string"}}, "required": ["intent"]}
REQUEST = ChatRequest((ChatMessage("user", "你好"),), temperature=0.5, max_tokens=50, timeout=5.0)
PICTURE = Image("image/png", "aGVsbG8=")

every_vendor = pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)


def failure(wire, vendor, scripted, request=REQUEST, **config) -> ProviderError:
    wire.answers(scripted)
    with pytest.raises(ProviderError) as caught:
        vendor.provider(wire.url, **config).chat(request)
    return caught.value


def test_every_remote_provider_has_its_wire_format_here():
    assert set(VENDORS) == {plugin.key for plugin in registry if plugin.is_remote}


@every_vendor
def test_an_answer_comes_with_its_text_and_tokens(wire, vendor):
    wire.answers(vendor.ok("您好！"))

    answer = vendor.provider(wire.url).chat(REQUEST)

    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("您好！", 7, 3)
    assert answer.model.startswith("model-1")
    (asked,) = wire.asked
    vendor.check(asked)
    assert "你好" in json.dumps(asked.json(), ensure_ascii=False)


@every_vendor
def test_unknown_tokens_stay_unknown(wire, vendor):
    wire.answers(vendor.ok(usage=False))

    answer = vendor.provider(wire.url).chat(REQUEST)

    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)


@every_vendor
def test_the_whole_call_ends_at_its_deadline_though_bytes_keep_coming(wire, vendor):
    slow_start_then_drip = Scripted(vendor.answer("长" * 200), before=lambda: time.sleep(0.2), drip_s=0.02)
    started = time.monotonic()

    late = failure(wire, vendor, slow_start_then_drip, ChatRequest(REQUEST.messages, 0.5, 50, timeout=0.3))

    assert late.kind == "timeout"
    assert time.monotonic() - started < 2, "0.3 s were allowed; the body takes 10"


@every_vendor
def test_a_broken_connection_is_not_asked_again_by_the_sdk(wire, vendor):
    assert failure(wire, vendor, Scripted(vendor.answer("长" * 100), cut_after=40, reset=True)).kind == "unreachable"
    assert len(wire.asked) == 1


@every_vendor
def test_a_private_address_is_refused_unless_allowed(wire, vendor):
    refused = failure(wire, vendor, vendor.ok(), allow_private=False)

    assert refused.kind == "bad_request"
    assert "public" in refused.message
    assert not wire.asked


@every_vendor
def test_the_key_stands_in_no_error_and_in_no_log(wire, vendor, caplog):
    caplog.set_level("DEBUG")
    with structlog.testing.capture_logs() as logged:
        problems = [
            failure(wire, vendor, vendor.fails(401)),
            failure(wire, vendor, Scripted(f"not JSON, but {KEY}")),
            failure(wire, vendor, Scripted(f"not JSON, but {KEY}", 500)),
            failure(wire, vendor, vendor.ok(), allow_private=False),
        ]

    for problem in problems:
        assert problem.__cause__ is None
        assert problem.__suppress_context__
    said = f"{[p.message for p in problems]} {logged} {caplog.text}"
    assert KEY[:12] not in said


@every_vendor
@pytest.mark.parametrize("key", ["sk-with\nnewline-0123", "密钥", ""])
def test_a_key_that_cannot_be_sent_is_refused_without_being_quoted(wire, vendor, key):
    provider = vendor.provider(wire.url)
    provider.api_key = key
    if not key and not provider.needs_key:
        return

    with pytest.raises(ProviderError) as caught:
        provider.chat(REQUEST)

    assert caught.value.kind == "auth"
    assert not key or key not in str(caught.value)
    assert not wire.asked


def test_a_key_is_hidden_even_where_it_is_quoted_in_part():
    assert redact("Incorrect API key provided: sk-proj-abc***xyz. See", "sk-proj-abcdefgh") == (
        "Incorrect API key provided: … See"
    )
    assert redact("key k refused", "k1") == "key k refused"


@every_vendor
def test_thinking_is_paid_for_on_top_of_the_length_limit(wire, vendor):
    wire.answers(vendor.ok())

    vendor.provider(wire.url, thinking_tokens=1000).chat(REQUEST)

    body = wire.asked[0].json()
    body = body.get("parameters", body)
    assert (body.get("max_tokens") or body.get("max_completion_tokens")) == 1050


@every_vendor
def test_calls_wait_side_by_side(wire, vendor):
    together = threading.Barrier(30, timeout=20)  # no answer before all have arrived
    wire.answers(Scripted(vendor.answer("好"), before=together.wait))
    provider, texts = vendor.provider(wire.url), []

    threads = [threading.Thread(target=lambda: texts.append(provider.chat(REQUEST).text)) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert texts == ["好"] * 30


def test_nobody_listening_is_unreachable():
    with running_wire_server() as gone:
        url = gone.url

    for vendor in VENDORS.values():
        with pytest.raises(ProviderError) as caught:
            vendor.provider(url).chat(REQUEST)
        assert caught.value.kind == "unreachable"


def test_no_sdk_is_imported_before_a_model_is_asked():
    code = (
        "import django, sys; django.setup();"
        "from personas.providers import registry;"
        "[p(p.Config(), api_key='k', endpoint='', model_id='m') for p in registry];"
        "print([m for m in ('openai', 'anthropic', 'dashscope', 'httpx2') if m in sys.modules], len(list(registry)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip().startswith("[] ")
    assert int(done.stdout.split()[-1]) >= 7
