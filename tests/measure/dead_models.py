"""Lines asked through the whole AI layer while every cloud model is dead: ``make accept ROW=models_dead``.

Four models, each dead in its own way (refused, hanging, HTTP 500, HTTP 401), are every persona's chain, in turn each
one first. One gevent process, as the worker is; a new line each twentieth of a second, an intent and a reply for each,
as the seeded flow asks for them. Writes what came of it as JSON. Wants empty stores that have been migrated.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import django  # noqa: E402
import gevent  # noqa: E402
from django.db import connection  # noqa: E402

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "worktool_ai.settings")
django.setup()

from personas import caches, seeds  # noqa: E402
from personas.local_model import LAST_WORDS  # noqa: E402
from personas.models import AIModel, Persona, PersonaFallback  # noqa: E402
from personas.providers import TEXT, ChatMessage  # noqa: E402
from personas.service import AIService  # noqa: E402
from personas.types import AIContext, GenerateOptions, ReplyKind  # noqa: E402
from templates_lib import seeds as template_seeds  # noqa: E402
from tests.wire import Scripted, WireServer, running_wire_server  # noqa: E402

__all__ = ["main"]

EVERY_S = 0.05
LINES_FILE = Path(__file__).parents[1] / "intents" / "held_out.jsonl"
#: Said for a line whose intent nobody could tell, as the seeded flow does.
STYLES: dict[str, ReplyKind] = {"unclear": "ask_back"}


def lines(count: int) -> list[str]:
    rows = [json.loads(line) for line in LINES_FILE.read_text(encoding="utf-8").splitlines() if line]
    return [str(rows[number % len(rows)]["text"]) for number in range(count)]


def plant(urls: dict[str, str]) -> None:
    """Make the models, and each of them the first one of some persona."""
    template_seeds.seed()
    seeds.seed()
    models = [
        AIModel.objects.create(
            name=f"dead {way}",
            provider="custom",
            model_id=f"dead-{way}",
            is_active=True,
            api_endpoint=f"{url}/v1",
            capabilities=sorted(TEXT),
            config={"config_version": 2, "allow_private": True},
        )
        for way, url in urls.items()
    ]
    for number, persona in enumerate(Persona.objects.order_by("slug")):
        first, *others = models[number % len(models) :] + models[: number % len(models)]
        persona.model = first
        persona.save(update_fields=["model"])
        for order, model in enumerate(others, start=1):
            PersonaFallback.objects.create(persona=persona, model=model, order=order)
    caches.clear()


class Run:
    """What came of all lines."""

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self.personas = [str(pk) for pk in Persona.objects.order_by("slug").values_list("pk", flat=True)]
        self.seconds: list[float] = []
        self.ways: list[str] = []
        self.calls: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()

    def answer(self, number: int, text: str) -> None:
        ai, persona = AIService(), self.personas[number % len(self.personas)]
        began = time.monotonic()
        found = ai.recognize_intent(text, AIContext(persona_id=persona, deadline_s=self.deadline_s))
        understood = time.monotonic()
        options = GenerateOptions(
            persona_id=persona, intent=found.intent, topic=found.topic, kind=STYLES.get(found.intent, "answer"),
            is_group=True, values={"userName": "张三", "botName": "小助手", "groupName": "客服群"}, seed=str(number),
            deadline_s=self.deadline_s,
        )  # fmt: skip
        reply = ai.generate_reply([ChatMessage("user", text)], options)
        self.seconds += [understood - began, time.monotonic() - understood]
        self.ways.append(_way(reply.text, reply.kind, reply.template))
        for call in ai.scope.calls:
            self.calls["local" if call.provider == "local" else f"dead {call.error_kind or 'ANSWERED'}"] += 1
            self.passed.update(hop["reason"] for hop in call.request.get("passed_over", ()))

    def as_json(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "ways": self.ways, "calls": self.calls, "passed_over": self.passed}


def _way(text: str, kind: str, template: str | None) -> str:
    if text == LAST_WORDS or template is None:
        return "apology only"
    return {"answer": "template", "ask_back": "ask back", "hand_over": "hand over"}.get(kind, kind)


def main(arguments: Sequence[str]) -> None:
    out, count, deadline_s = Path(arguments[0]), int(arguments[1]), float(arguments[2])
    with running_wire_server() as gone:
        refused = gone.url
    with running_wire_server() as hanging, running_wire_server() as broken, running_wire_server() as locked:
        _script(hanging, broken, locked, deadline_s)
        plant({"refused": refused, "hanging": hanging.url, "500": broken.url, "401": locked.url})
        run = Run(deadline_s)
        greenlets = []
        for number, text in enumerate(lines(count)):
            greenlets.append(gevent.spawn(run.answer, number, text))
            gevent.sleep(EVERY_S)
        gevent.joinall(greenlets, raise_error=True)
    out.write_text(json.dumps(run.as_json()), encoding="utf-8")
    connection.close_pool()


def _script(hanging: WireServer, broken: WireServer, locked: WireServer, deadline_s: float) -> None:
    hanging.answers(Scripted("{}", before=lambda: time.sleep(2 * deadline_s)))
    broken.answers(Scripted({"error": {"message": "down"}}, 500))
    locked.answers(Scripted({"error": {"message": "no such key", "code": "invalid_api_key"}}, 401))


if __name__ == "__main__":
    main(sys.argv[1:])
