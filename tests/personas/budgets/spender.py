"""A process of its own that asks a model until its budget is used up: run by ``test_processes.py``.

Reads one line to begin and one to go on (so that several begin together); prints the cost of each of its calls, in
millionths. Ends when the budget is used up, not when the rest of it is only held for calls on their way.
"""

from __future__ import annotations

import json
import random
import sys
import threading
from typing import Any


def main() -> None:
    out, sys.stdout = sys.stdout, sys.stderr  # what is logged goes elsewhere
    import django

    django.setup()
    from django.conf import settings

    told = json.loads(sys.stdin.readline())
    settings.DATABASES["default"]["NAME"] = told["database"]
    from django.db import connection

    connection.settings_dict["NAME"] = told["database"]
    costs: list[int] = []
    threads = [threading.Thread(target=spend, args=(told["model"], costs)) for _ in range(told["threads"])]
    print("ready", file=out, flush=True)
    sys.stdin.readline()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(costs), file=out, flush=True)


def spend(model_id: str, costs: list[int]) -> None:
    from personas import caches
    from personas.budgets.counters import micro
    from personas.budgets.keeper import OverBudget, keeper
    from personas.models import AIModel
    from personas.providers import Answer, ChatMessage, ChatRequest
    from personas.types import CallScope

    model: Any = caches.model_snapshot(AIModel.objects.get(pk=model_id))
    request = ChatRequest((ChatMessage("user", "x"),), 0.7, 1000, timeout=8.0)
    while True:
        try:
            hold = keeper().reserve(model, request, CallScope(), None)
        except OverBudget as over:
            if over.is_spent:
                return
            continue
        answer = Answer("好", "m", 0, random.randint(1, 1000))
        settled = keeper().settle(hold, answer, None)
        assert settled.cost is not None
        costs.append(micro(settled.cost))


if __name__ == "__main__":
    main()
