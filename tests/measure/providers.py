"""CPU of one model call per SDK: ours, and the SDK's own way with its own HTTP client.

    python -m tests.measure.providers

Two hundred calls in a row against a local server, twelve messages each; CPU is the calling thread alone, so the
server in the next thread is not in it, and neither is waiting. Median of five rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import django

django.setup()

from personas.providers import ChatMessage, ChatRequest  # noqa: E402
from tests.personas.providers.vendors import KEY, MODEL, VENDORS  # noqa: E402
from tests.wire import WireServer, running_wire_server  # noqa: E402

CALLS, ROUNDS = 200, 5
REQUEST = ChatRequest(
    (
        ChatMessage("system", "你是客服。" * 40),
        *(ChatMessage("user" if i % 2 else "assistant", "订单什么时候发货？" * 5) for i in range(11)),
    ),
    0.5,
    200,
    10.0,
)
SAID = [{"role": m.role, "content": m.content} for m in REQUEST.messages]


def ours(key: str, wire: WireServer) -> Callable[[], object]:
    provider = VENDORS[key].provider(wire.url)
    return lambda: provider.chat(REQUEST)


def openai_own_way(wire: WireServer) -> Callable[[], object]:
    import openai

    client = openai.OpenAI(base_url=f"{wire.url}/v1", api_key=KEY, max_retries=0)
    return lambda: client.chat.completions.create(model=MODEL, messages=SAID, max_completion_tokens=200)


def claude_own_way(wire: WireServer) -> Callable[[], object]:
    import anthropic

    client = anthropic.Anthropic(base_url=wire.url, api_key=KEY, max_retries=0)
    system, *said = SAID
    said.insert(0, {"role": "user", "content": "…"})
    return lambda: client.messages.create(model=MODEL, system=system["content"], messages=said, max_tokens=200)


def dashscope_own_way(wire: WireServer) -> Callable[[], object]:
    from dashscope import Generation

    fields = {"model": MODEL, "messages": SAID, "api_key": KEY, "base_address": f"{wire.url}/api/v1"}
    return lambda: Generation.call(**fields, result_format="message", max_tokens=200)


OWN_WAYS = {"openai": openai_own_way, "claude": claude_own_way, "aliyun_qwen": dashscope_own_way}


def cpu_ms(call: Callable[[], object]) -> float:
    """Return the median CPU of a call in milliseconds."""
    call()
    rounds = []
    for _ in range(ROUNDS):
        before = time.thread_time()
        for _ in range(CALLS):
            call()
        rounds.append((time.thread_time() - before) * 1000 / CALLS)
    return statistics.median(rounds)


def main() -> None:
    print("| SDK | ours, CPU ms a call | the SDK's own way |\n|---|---|---|")
    for key, own_way in OWN_WAYS.items():
        with running_wire_server() as wire:
            wire.answers(VENDORS[key].ok("您好！" * 20))
            print(f"| {key} | {cpu_ms(ours(key, wire)):.2f} | {cpu_ms(own_way(wire)):.2f} |", flush=True)


if __name__ == "__main__":
    main()
