"""What a call costs us, counted in Python calls: a figure that no neighbour and no slow machine can move.

The slow parts of the SDKs are the transformation of messages (openai), copies of them (dashscope) and the HTTP pools of
both and of anthropic; docs/providers.md has the milliseconds.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter

import pytest

from personas.providers import ChatMessage, ChatRequest
from tests.personas.providers.vendors import VENDORS

#: Python calls of one chat() with twelve messages; measured 2026-11-22 and given a quarter more.
MOST_CALLS = {"openai": 740, "claude": 790, "aliyun_qwen": 220}
#: further calls for each further message of the history
MOST_PER_MESSAGE = {"openai": 2, "claude": 4, "aliyun_qwen": 8}


def request(messages: int) -> ChatRequest:
    said = [ChatMessage("user" if i % 2 else "assistant", f"第 {i} 句：订单什么时候发货？") for i in range(messages)]
    return ChatRequest((ChatMessage("system", "你是客服。"), *said), 0.5, 200, 10.0)


def python_calls(provider, messages: int) -> tuple[int, Counter]:
    """Count the calls of Python functions in this thread during one chat, by function."""
    asked, counted = request(messages), Counter()

    def count(frame, event, _arg):
        if event == "call":
            counted[f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}"] += 1

    gc.disable()
    sys.setprofile(count)
    try:
        provider.chat(asked)
    finally:
        sys.setprofile(None)
        gc.enable()
    return sum(counted.values()), counted


@pytest.mark.parametrize("key", MOST_CALLS)
def test_a_call_stays_cheap_and_history_nearly_free(wire, key):
    vendor = VENDORS[key]
    wire.answers(vendor.ok())
    provider = vendor.provider(wire.url)
    provider.chat(request(2))  # imports, client, connection

    twelve, by_function = python_calls(provider, 11)
    forty, _ = python_calls(provider, 39)

    print(f"\n{key}: {twelve} calls with 12 messages, {(forty - twelve) / 28:.1f} for each further one")
    assert twelve <= MOST_CALLS[key], by_function.most_common(25)
    assert (forty - twelve) / 28 <= MOST_PER_MESSAGE[key], by_function.most_common(25)


@pytest.mark.parametrize("key", VENDORS)
def test_the_costly_ways_through_the_sdks_are_gone_round(wire, key):
    wire.answers(VENDORS[key].ok())
    provider = VENDORS[key].provider(wire.url)
    provider.chat(request(2))

    _, by_function = python_calls(provider, 11)

    costly = ("_transform", "construct_type", "httpcore", "httpx2._client", "httpx2._transports.default", "requests.")
    entered = [name for name in by_function if any(part in name for part in costly)]
    assert not entered
