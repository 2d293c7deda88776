"""The model stub as an OpenAI client sees it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
import urllib3

from personas.model_stub.testing import StubClient, running_model_stub

INTENT_PROMPT = 'Classify. Answer with JSON: {"intent": …, "topic": …, "confidence": …, "why": …}'


@pytest.fixture
def stub() -> Iterator[StubClient]:
    with running_model_stub() as stub:
        yield stub


@pytest.fixture
def client(stub: StubClient) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=stub.base_url, api_key="none", max_retries=0, timeout=10) as client:
        yield client


def reply(client: openai.OpenAI, text: str, model: str = "stub") -> str:
    messages: Any = [{"role": "system", "content": "你是客服"}, {"role": "user", "content": text}]
    answer = client.chat.completions.create(model=model, messages=messages)
    return answer.choices[0].message.content or ""


def intent(client: openai.OpenAI, text: str) -> dict[str, Any]:
    messages: Any = [{"role": "system", "content": INTENT_PROMPT}, {"role": "user", "content": text}]
    answer = client.chat.completions.create(model="stub", messages=messages, response_format={"type": "json_object"})
    verdict: dict[str, Any] = json.loads(answer.choices[0].message.content or "")
    return verdict


def test_the_same_text_gets_the_same_answer(client: openai.OpenAI) -> None:
    assert reply(client, "如何退款？") == reply(client, "如何退款？")
    assert "退款" in reply(client, "如何退款？")


def test_usage_and_models_are_those_of_the_wire_format(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "你好"}]
    answer = client.chat.completions.create(model="stub", messages=messages)
    assert answer.object == "chat.completion"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert [model.id for model in client.models.list()] == ["stub"]


@pytest.mark.parametrize(
    ("text", "expected", "topic"),
    [
        ("如何退款？", "service", "支付问题"),
        ("<customer_text>快递到哪了</customer_text>", "service", "物流查询"),
        ("再不处理我就打12315", "risk", None),
        ("多少钱一年", "conversion", "转化引导"),
        ("早上好", "chat", "闲聊回复"),
        ("嗯", "unclear", None),
    ],
)
def test_intents_are_guessed_by_keyword(client: openai.OpenAI, text: str, expected: str, topic: str | None) -> None:
    verdict = intent(client, text)
    assert (verdict["intent"], verdict["topic"]) == (expected, topic)
    assert set(verdict) == {"intent", "topic", "confidence", "why"}


def test_a_system_prompt_that_asks_for_a_json_intent_is_enough(client: openai.OpenAI) -> None:
    messages: Any = [
        {"role": "system", "content": INTENT_PROMPT},
        {"role": "user", "content": [{"type": "text", "text": "如何退款？"}]},
    ]
    answer = client.chat.completions.create(model="stub", messages=messages)
    assert json.loads(answer.choices[0].message.content or "")["intent"] == "service"


def test_a_picture_is_described_recognisably_and_by_its_content(stub: StubClient, client: openai.OpenAI) -> None:
    def look(data: str) -> Any:
        parts = [{"type": "image_url", "image_url": {"url": data}}, {"type": "text", "text": "这张图片里有什么？"}]
        messages: Any = [{"role": "system", "content": "你替客服看图"}, {"role": "user", "content": parts}]
        return client.chat.completions.create(model="stub", messages=messages)

    first, again, other = (look(f"data:image/png;base64,{data}") for data in ("aaaa", "aaaa", "bbbb" * 1000))
    assert first.choices[0].message.content == again.choices[0].message.content != other.choices[0].message.content
    assert intent(client, first.choices[0].message.content)["topic"] == "账号问题"
    assert first.usage.prompt_tokens < 2000 > other.usage.prompt_tokens, "counted as a picture, not as its characters"
    assert stub.stats()["by_purpose"]["picture"] == 3


def test_markers_of_a_run_are_echoed_once(client: openai.OpenAI) -> None:
    answer = reply(client, "退款 #m123 #m7 #m123")
    assert answer.endswith("#m123 #m7")


@pytest.mark.parametrize("status", [401, 429, 500])
def test_a_marker_asks_for_a_status(client: openai.OpenAI, status: int) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        reply(client, f"退款[[status={status}]]")
    assert caught.value.status_code == status


def test_a_marker_may_hold_for_one_kind_of_call(client: openai.OpenAI) -> None:
    text = "退款[[reply.status=500]]"
    assert intent(client, text)["topic"] == "支付问题"
    with pytest.raises(openai.InternalServerError):
        reply(client, text)


def test_sleep_by_marker_model_name_and_start_option(client: openai.OpenAI) -> None:
    began = time.monotonic()
    reply(client, "退款[[sleep=0.2]]")
    reply(client, "退款", model="stub?sleep=0.2")
    with running_model_stub(latency_s=0.2) as slow, openai.OpenAI(base_url=slow.base_url, api_key="x") as other:
        reply(other, "退款")
    assert time.monotonic() - began >= 0.6


def test_a_hanging_call_delays_nobody_and_is_counted_when_its_caller_leaves(
    stub: StubClient, client: openai.OpenAI
) -> None:
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(reply, client.with_options(timeout=0.5), "退款[[hang=60]]")
        assert reply(client, "退款")
        with pytest.raises(openai.APITimeoutError):
            hanging.result()
    deadline = time.monotonic() + 5
    while stub.stats()["abandoned"] == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    stats = stub.stats()
    assert (stats["abandoned"], stats["in_flight"]) == (1, 0)


def test_a_hang_that_is_waited_for_ends_without_an_answer(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError):
        reply(client, "退款[[hang=0.05]]")


def test_calls_are_counted(stub: StubClient, client: openai.OpenAI) -> None:
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda number: reply(client, f"退款 #m{number} [[sleep=0.3]]"), range(5)))
    intent(client, "退款 #m1")
    stats = stub.stats()
    assert (stats["total"], stats["max_in_flight"], stats["in_flight"]) == (6, 5, 0)
    assert stats["by_purpose"] == {"intent": 1, "reply": 5, "picture": 0}
    assert stats["by_text"]["退款 #m1"] == 2
    assert stats["by_marker"]["#m1"] == {"reply": 1, "intent": 1}
    stub.clear_stats()
    assert stub.stats()["total"] == 0


def test_faults_for_all_that_follow(stub: StubClient, client: openai.OpenAI) -> None:
    stub.faults(
        {"kind": "status", "value": 503, "match": "退款", "purpose": "reply", "count": 1},
        {"kind": "text", "value": "照此回答", "match": "物流"},
    )
    assert intent(client, "退款")["topic"] == "支付问题"
    with pytest.raises(openai.InternalServerError):
        reply(client, "退款")
    assert "退款" in reply(client, "退款")
    assert reply(client, "物流") == "照此回答"
    assert stub.faults() == {"faults": []}


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"kind": "meteor", "value": 1}, "kind"),
        ({"kind": "status", "value": 200}, "status"),
        ({"kind": "sleep", "value": "soon"}, "faults.0"),
        ({"kind": "sleep", "value": -1}, "seconds"),
        ({"kind": "sleep"}, "value"),
    ],
)
def test_bad_faults_are_refused_and_named(stub: StubClient, fault: dict[str, Any], word: str) -> None:
    with pytest.raises(AssertionError, match=f"400.*{word}"):
        stub.faults(fault)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"model": "stub"}', b'{"model": "stub", "messages": ["x"]}', b'{"messages": [{}]}'],
)
def test_bad_requests_are_refused(stub: StubClient, body: bytes) -> None:
    answer = urllib3.request("POST", f"{stub.base_url}/chat/completions", body=body)
    assert answer.status == 400
    assert answer.json()["error"]["message"]


def test_streams_and_unknown_paths_are_refused(stub: StubClient, client: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "你好"}]
    with pytest.raises(openai.BadRequestError, match="stream"):
        client.chat.completions.create(model="stub", messages=messages, stream=True)
    assert urllib3.request("GET", f"{stub.base_url}/moon").status == 404
    assert urllib3.request("GET", f"{stub.url}/stub/health").status == 200
    assert urllib3.request("GET", f"{stub.url}/stub/health", headers={"Host": "evil.example"}).status == 403
