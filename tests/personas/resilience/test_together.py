from __future__ import annotations

import threading

from personas.resilience.rules import Report
from personas.resilience.together import Together
from tests.polling import eventually
from worktool_ai.lib.ids import uuid7

MODEL = uuid7()


def test_what_ends_while_a_report_is_on_its_way_is_told_as_one_and_nobody_returns_before():
    told: list[Report] = []
    on_its_way, arrives = threading.Event(), threading.Event()

    def tell(report: Report) -> None:
        on_its_way.set()
        assert arrives.wait(20)
        told.append(report)

    together = Together(tell)
    capabilities = ["chat", "chat", "chat", "chat", "report"]
    callers = [
        threading.Thread(target=together.add, args=(Report(MODEL, capability, "", "ok", duration_ms=10),))
        for capability in capabilities
    ]
    callers[0].start()
    assert on_its_way.wait(20)
    for caller in callers[1:]:
        caller.start()
    eventually(lambda: together.gathered == 4)
    assert all(caller.is_alive() for caller in callers)
    arrives.set()
    for caller in callers:
        caller.join(20)

    assert sorted((report.capability, report.calls, report.duration_ms) for report in told) == [
        ("chat", 1, 10),
        ("chat", 3, 30),
        ("report", 1, 10),
    ]
