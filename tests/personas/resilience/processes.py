"""Other processes that ask for leave: started, told what to do line by line, killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.conf import settings

__all__ = ["Caller", "caller"]

#: Each line: {"do": "admit" | "ok" | "fail", "lease_s": ..}; each answer {"state", "refused", "probe"}.
CODE = """
import json, sys, types, uuid
from django.conf import settings
out, sys.stdout = sys.stdout, sys.stderr  # what is logged goes elsewhere
told = json.loads(sys.stdin.readline())
settings.configure(**told["settings"])
from personas.resilience.gates import Gates
from personas.resilience.hops import PassedOver
from personas.providers import Answer, ProviderError
model = types.SimpleNamespace(
    id=uuid.UUID(told["model"]), name="m", request_limit=told["limit"], token_limit=None, held=lambda capability: "")
gates, admission = Gates(), None
print("{}", file=out, flush=True)
for line in sys.stdin:
    order = json.loads(line)
    answer = {}
    if order["do"] == "admit":
        try:
            admission = gates.admit(model, "chat", lease_s=order["lease_s"], tokens=0)
            answer = {"refused": "", "probe": admission.verdict.is_probe}
        except PassedOver as passed:
            answer = {"refused": passed.hop.reason, "probe": False}
    else:
        failed = order["do"] == "fail"
        error = ProviderError("overloaded", "no") if failed else None
        admission.report(None if failed else Answer("ok", "m"), error)
    print(json.dumps(answer), file=out, flush=True)
"""
NAMES = (
    "REDIS_BROKER_URL",
    "REDIS_PREFIX",
    "MODEL_BREAKER_WINDOW_S",
    "MODEL_BREAKER_MIN_CALLS",
    "MODEL_BREAKER_FAILURE_RATE",
    "MODEL_BREAKER_OPEN_S",
    "MODEL_BREAKER_OPEN_MAX_S",
)


class Caller:
    """One other process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def do(self, what: str, lease_s: float = 60.0) -> dict[str, Any]:
        return self.say({"do": what, "lease_s": lease_s})

    def say(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def caller(model: UUID, limit: int | None = None) -> Iterator[Caller]:
    process = subprocess.Popen([sys.executable, "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        one = Caller(process)
        one.say({"model": str(model), "limit": limit, "settings": {name: getattr(settings, name) for name in NAMES}})
        yield one
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
