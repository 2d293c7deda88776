"""Every vendor with a network x everything that can go wrong: our name for it, whether the chain asks again, and what
the caller is left with. ``pytest -s`` prints the table (also in docs/providers.md).

The vendors are local servers that speak the formats of ``vendors.py``; the calls go through the whole AI layer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from personas import caches
from personas import chain as chain_module
from personas.models import AIModel, Persona
from personas.providers import ChatMessage
from personas.resilience.gates import gates
from personas.resilience.rules import BreakerRules
from personas.resilience.shared import redis_gates
from personas.service import AIService
from personas.types import CallScope, GenerateOptions, GenerateReplyResult
from tests.personas.providers.vendors import KEY, MODEL, VENDORS, Vendor
from tests.planted import plant_personas
from tests.wire import Scripted, WireServer, running_wire_server

pytestmark = pytest.mark.django_db

ANSWER = "您好，退款会原路退回。"
#: Seconds for one call where the vendor is slow, where it is not, and for the whole chain.
HURRIED_S, CALL_S, CHAIN_S = 0.2, 10.0, 15.0


@dataclass(frozen=True)
class Fault:
    """What the vendor does, what we call it, and whether the chain asks a second time (and then gets an answer)."""

    name: str
    answer: Callable[[Vendor], Scripted | None]
    kind: str
    again: bool
    hurried: bool = False


def slow(vendor: Vendor) -> Scripted:
    return replace(vendor.ok(ANSWER), before=lambda: time.sleep(HURRIED_S * 1.5))


def dripping(vendor: Vendor) -> Scripted:
    return replace(vendor.ok("长" * 200), drip_s=0.02)


def with_wait(seconds: str) -> Callable[[Vendor], Scripted]:
    return lambda vendor: vendor.fails(429, **{"Retry-After": seconds})


def inspected(vendor: Vendor) -> Scripted:
    return vendor.fails(*vendor.inspection) if vendor.inspection else vendor.ok("", finish=vendor.refused)


FAULTS = [
    Fault("ok", lambda v: v.ok(ANSWER), "", False),
    Fault("400", lambda v: v.fails(400), "bad_request", False),
    Fault("401", lambda v: v.fails(401), "auth", False),
    Fault("403", lambda v: v.fails(403), "auth", False),
    Fault("404", lambda v: v.fails(404), "bad_request", False),
    Fault("429", lambda v: v.fails(429), "rate_limit", True),
    Fault("429, Retry-After 0.1 s", with_wait("0.1"), "rate_limit", True),
    Fault("429, Retry-After 60 s", with_wait("60"), "rate_limit", False),
    Fault("500", lambda v: v.fails(500), "overloaded", True),
    Fault("503", lambda v: v.fails(503), "overloaded", True),
    Fault("connection refused", lambda v: None, "unreachable", True),
    Fault("reset in mid-body", lambda v: replace(v.ok("长" * 100), cut_after=60, reset=True), "unreachable", True),
    Fault("time-out", slow, "timeout", True, hurried=True),
    Fault("slow body", dripping, "timeout", True, hurried=True),
    Fault("invalid JSON", lambda v: Scripted("{broken", 200, {"Content-Type": "application/json"}), "bad_answer", True),
    Fault("empty choice", lambda v: Scripted(v.empty), "bad_answer", True),
    Fault("truncated", lambda v: v.ok("退款会", finish=v.truncated), "truncated", False),
    Fault("content refusal (answer)", lambda v: v.ok("", finish=v.refused), "content_policy", False),
    Fault("content refusal (error)", inspected, "content_policy", False),
]


@dataclass(frozen=True)
class Cell:
    """What came of one fault: the errors of the calls in order, and the caller's reply, when the fault passes after
    the first call and when it stays.
    """

    passing: AIService
    passing_reply: GenerateReplyResult
    lasting: AIService
    lasting_reply: GenerateReplyResult

    @property
    def first_error(self) -> str:
        return self.lasting.scope.calls[0].error_kind

    @property
    def asked(self) -> int:
        """How often the vendor was asked while the fault stayed."""
        return sum(call.provider != "local" for call in self.lasting.scope.calls)


@pytest.fixture
def quick(monkeypatch):
    plant_personas()
    monkeypatch.setattr(chain_module, "FIRST_DELAY_S", 0.005)
    # each cell begins anew: what a breaker makes of many failures is shown elsewhere
    monkeypatch.setattr(BreakerRules, "from_settings", lambda: BreakerRules(min_calls=1_000_000))
    caches.cast(), caches.recogniser()


@pytest.fixture
def dead_url() -> str:
    with running_wire_server() as gone:
        return gone.url


def served_by(vendor: Vendor, url: str, seconds: float) -> None:
    """Let every persona speak through this vendor's model."""
    plugin = type(vendor.provider(url))
    fields = {
        "provider": vendor.key,
        "model_id": MODEL,
        "api_endpoint": url + vendor.base,
        "api_key": KEY,
        "is_active": True,
        "capabilities": ["service_reply"],
        "config": plugin.Config.model_validate({"allow_private": True, "timeout_s": seconds}).dump(),
    }
    model, _created = AIModel.objects.update_or_create(name="矩阵", defaults=fields)
    Persona.objects.update(model=model)
    caches.clear()


def unpaused() -> None:
    """Forget that the vendor asked to be left alone."""
    for model in AIModel.objects.filter(name="矩阵"):
        redis_gates().forget_limits(model.pk)
    gates.forget()


def reply() -> tuple[AIService, GenerateReplyResult]:
    unpaused()
    ai = AIService(CallScope())
    options = GenerateOptions(
        persona_type="service",
        intent="service",
        topic="支付问题",
        seed="m1",
        deadline_s=CHAIN_S,
        values={"userName": "张三"},
    )
    return ai, ai.generate_reply([ChatMessage("user", "如何退款？")], options)


def play(vendor: Vendor, fault: Fault, wire: WireServer) -> Cell:
    scripted = fault.answer(vendor)
    scripts = [scripted] if scripted else []
    wire.answers(*scripts, vendor.ok(ANSWER))
    passing = reply()
    wire.answers(*scripts or [vendor.ok(ANSWER)])
    return Cell(*passing, *reply())


def got(result: GenerateReplyResult) -> str:
    return "answer" if result.source == "model" else f"{result.source}: {result.kind}"


def table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([lines[0], "-+-".join("-" * width for width in widths), *lines[1:]])


def checked(vendor: Vendor, fault: Fault, cell: Cell) -> tuple[str, ...]:
    """Assert the cell and return it as a row."""
    where = f"{vendor.key}: {fault.name}"
    healthy = fault.name == "ok"
    assert cell.first_error == fault.kind, where
    assert cell.asked == 1 + fault.again, where
    assert cell.lasting_reply.text, where
    assert got(cell.lasting_reply) == ("answer" if healthy else "template: answer"), where
    rescued = healthy or (fault.again and fault.kind != "unreachable") or fault.name == "reset in mid-body"
    assert (cell.passing_reply.source == "model") == rescued, where
    assert KEY[:12] not in str([call.to_json() for call in cell.lasting.scope.calls]), where
    asked = "twice" if cell.asked > 1 else "once"
    return fault.name, cell.first_error or "-", asked, got(cell.lasting_reply), got(cell.passing_reply)


def test_every_fault_has_one_name_one_rule_and_an_answer_for_the_caller(quick, dead_url):
    for vendor in VENDORS.values():
        rows = {}
        with running_wire_server() as wire:
            for url, seconds in ((wire.url, CALL_S), (wire.url, HURRIED_S), (dead_url, CALL_S)):
                served_by(vendor, url, seconds)
                for fault in FAULTS:
                    dead = fault.answer(vendor) is None
                    if (dead, fault.hurried) == (url == dead_url, seconds == HURRIED_S):
                        rows[fault.name] = checked(vendor, fault, play(vendor, fault, wire))
            for asked in wire.asked:
                vendor.check(asked)
        head = ("fault", "error", "asked", "caller got", "when it passes after the first call")
        print(f"\n{vendor.key} ({vendor.page})\n{table([head, *(rows[fault.name] for fault in FAULTS)])}")
