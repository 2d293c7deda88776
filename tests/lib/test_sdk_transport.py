"""The transport carries the real SDK: answers, errors, time-outs, verified TLS, kept connections."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.lib.servers import certificate, serving
from worktool_ai.lib.sdk_transport import DirectClient, Urllib3Transport


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serving() as running:
        yield running


def ask(base_url: str, transport: Urllib3Transport, timeout: float = 5, times: int = 1) -> ChatCompletion:
    body = {"model": "m", "messages": [{"role": "user", "content": "如何退款？"}]}
    with (
        httpx2.Client(transport=transport, timeout=timeout) as http_client,
        openai.OpenAI(api_key="sk-test", base_url=base_url, max_retries=0, http_client=http_client) as client,
    ):
        answers = [client.post("/chat/completions", cast_to=ChatCompletion, body=body) for _ in range(times)]
    return answers[-1]


def test_the_real_sdk_gets_its_answer_over_one_kept_connection(server):
    answer = ask(server.url, Urllib3Transport(), times=3)
    assert answer.choices[0].message.content == "您好，已为您查询"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 8
    path, headers, body, _peer = server.seen[-1]
    assert path == "/chat/completions"
    assert headers["authorization"] == "Bearer sk-test"
    assert json.loads(body)["messages"][0]["content"] == "如何退款？"
    assert len({peer for *_rest, peer in server.seen[-3:]}) == 1


def test_a_refusal_of_the_vendor_is_the_sdks_own_error(server):
    with pytest.raises(openai.RateLimitError, match="slow down"):
        ask(server.url + "/limited", Urllib3Transport())


def test_a_compressed_answer_is_unpacked_once(server):
    with httpx2.Client(transport=Urllib3Transport(), timeout=5) as client:
        assert client.post(f"{server.url}/gzip").content == b"x" * 50_000


def test_the_direct_client_carries_the_sdk_and_unpacks_answers(server):
    client = DirectClient(Urllib3Transport(), timeout=5)
    with client, openai.OpenAI(api_key="k", base_url=server.url, max_retries=0, http_client=client) as sdk:
        answer = sdk.post("/chat/completions", cast_to=httpx2.Response, body={"model": "m"})
        assert answer.json()["model"] == "m"
        with pytest.raises(openai.RateLimitError, match="slow down"):
            sdk.post("/limited/chat/completions", cast_to=httpx2.Response, body={})
        assert client.send(client.build_request("POST", f"{server.url}/gzip")).content == b"x" * 50_000


@pytest.mark.parametrize("path", ["hang", "drip"])
def test_a_slow_answer_is_a_time_out(server, path):
    client = httpx2.Client(transport=Urllib3Transport(), timeout=0.2)
    with client, pytest.raises(httpx2.ReadTimeout):
        client.post(f"{server.url}/{path}")


def test_a_broken_connection_is_a_read_error(server):
    client = httpx2.Client(transport=Urllib3Transport(), timeout=2)
    with client, pytest.raises(httpx2.ReadError):
        client.post(f"{server.url}/reset")


def test_no_server_is_a_connection_error():
    with pytest.raises(openai.APIConnectionError):
        ask("http://127.0.0.1:9", Urllib3Transport())


def test_certificates_are_verified(tmp_path):
    path = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with serving(context) as server:
        with pytest.raises(openai.APIConnectionError):
            ask(server.url, Urllib3Transport())
        trusting = ssl.create_default_context(cafile=str(path))
        assert ask(server.url, Urllib3Transport(context=trusting)).model == "m"
