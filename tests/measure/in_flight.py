"""Many replies at once in one gevent process, as in a worker: ``make accept ROW=models_in_flight``.

The model is a stub in a process of its own that answers after a while. The calls begin one after the other within
:data:`SPREAD_S` and go through the whole AI layer: persona, prompt, hints, breaker, provider, SDK, transport, check. A
call's wait is what lies between its turn and the SDK's being asked.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import django  # noqa: E402
import gevent  # noqa: E402
import urllib3  # noqa: E402
from django.db import connection  # noqa: E402

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worktool_ai.settings")
django.setup()

from personas import caches, seeds  # noqa: E402
from personas.models import AIModel, Persona  # noqa: E402
from personas.providers import TEXT, Answer, ChatMessage, ChatRequest  # noqa: E402
from personas.providers._openai_wire import OpenAIWireProvider  # noqa: E402
from personas.providers.custom import CustomProvider  # noqa: E402
from personas.service import AIService  # noqa: E402
from personas.types import GenerateOptions  # noqa: E402
from templates_lib import seeds as template_seeds  # noqa: E402
from tests.measure import meters  # noqa: E402
from tests.measure.stack import running_stub  # noqa: E402

__all__ = ["main"]

DEADLINE_S = 60.0
SPREAD_S = 1.2
WARM_UP = 20


def plant(url: str, latency_s: float) -> None:
    template_seeds.seed()
    seeds.seed()
    model = AIModel.objects.create(
        name="slow", provider="custom", model_id=f"stub?sleep={latency_s:g}", is_active=True,
        api_endpoint=f"{url}/v1", capabilities=sorted(TEXT), config={"config_version": 2, "allow_private": True},
    )  # fmt: skip
    Persona.objects.update(model=model)
    caches.clear()


class Calls:
    """What each call took; :meth:`watch` notes when the SDK is asked."""

    def __init__(self) -> None:
        self.began: dict[int, float] = {}
        self.waits: list[float] = []
        self.answered = 0

    def watch(self) -> None:
        ask = CustomProvider._ask

        def noted(provider: OpenAIWireProvider, request: ChatRequest) -> Answer:
            self.waits.append(time.monotonic() - self.began[threading.get_ident()])
            return ask(provider, request)

        CustomProvider._ask = noted  # type: ignore[method-assign,assignment]

    def reply(self, number: int, turn: float = 0.0) -> None:
        """Answer one line; ``turn``: when it was to begin, by the monotonic clock."""
        self.began[threading.get_ident()] = turn
        options = GenerateOptions(
            persona_type="service", intent="service", topic="物流查询", is_group=True, seed=str(number),
            values={"userName": "张三", "botName": "小助手", "groupName": "客服群"}, deadline_s=DEADLINE_S,
        )  # fmt: skip
        reply = AIService().generate_reply([ChatMessage("user", f"我的快递到哪了 #m{number}")], options)
        self.answered += reply.source == "model"


def main(arguments: Sequence[str]) -> None:
    out, count, latency_s = Path(arguments[0]), int(arguments[1]), float(arguments[2])
    with tempfile.TemporaryDirectory() as folder, running_stub(Path(folder), None) as url:
        plant(url, latency_s)
        Calls().reply(0)
        _soon_after_each_other(Calls(), WARM_UP)
        urllib3.request("DELETE", f"{url}/stub/stats")
        before, own = _rss_mb(), os.getpid()
        calls, cpu_ms, began = Calls(), meters.cpu_ms(own), time.monotonic()
        calls.watch()
        _soon_after_each_other(calls, count)
        report: dict[str, Any] = {
            "answered": calls.answered,
            "wall_s": time.monotonic() - began,
            "cpu_s": (meters.cpu_ms(own) - cpu_ms) / 1000,
            "rss_mb": _rss_mb(),
            "grown_mb": _rss_mb() - before,
            "threads": len(list(Path("/proc/self/task").iterdir())),
            "wait_p50_s": statistics.median(calls.waits),
            "wait_s": max(calls.waits),
            "max_in_flight": urllib3.request("GET", f"{url}/stub/stats").json()["max_in_flight"],
        }
    out.write_text(json.dumps(report), encoding="utf-8")
    connection.close_pool()


def _soon_after_each_other(calls: Calls, count: int) -> None:
    began, greenlets = time.monotonic(), []
    for number in range(count):
        turn = began + number * SPREAD_S / count
        gevent.sleep(max(0.0, turn - time.monotonic()))
        greenlets.append(gevent.spawn(calls.reply, number, turn))
    gevent.joinall(greenlets, raise_error=True)


def _rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
