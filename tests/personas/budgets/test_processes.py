"""Two processes that spend one budget together: really other processes, over the real Redis and PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import redis
from django.db import connection

from personas.budgets.counters import micro
from personas.models import AIModel
from tests.personas.budgets.conftest import budget

pytestmark = pytest.mark.django_db(transaction=True)

#: What the calls of a spender can cost at most: 1000 tokens written, 17 read.
ONE_CALL = 10_034


@contextmanager
def spender(model_id: UUID, threads: int) -> Iterator[subprocess.Popen[str]]:
    told = {"database": connection.settings_dict["NAME"], "model": str(model_id), "threads": threads}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.personas.budgets.spender"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "worktool_ai.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(told) + "\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def spent_together(model_id: UUID, threads: int = 4) -> list[list[int]]:
    with spender(model_id, threads) as first, spender(model_id, threads) as second:
        both: list[Any] = [first, second]
        for one in both:
            assert one.stdout.readline() == "ready\n"
        for one in both:
            one.stdin.write("go\n")
            one.stdin.flush()
        return [json.loads(one.stdout.readline()) for one in both]


@pytest.mark.integration
def test_together_they_overshoot_by_one_call_at_most(broker_redis: redis.Redis) -> None:
    model = AIModel.objects.create(
        name="云模型", provider="openai", input_price=Decimal(2), output_price=Decimal(10), is_active=True
    )
    budget("model", model.pk, "2")
    calls = spent_together(model.pk)
    total = sum(map(sum, calls))
    print(f"spent {total / 1e6:.6f} of 2 by {len(calls[0])} and {len(calls[1])} calls; one call: {ONE_CALL / 1e6}")
    assert micro(Decimal(2)) <= total < micro(Decimal(2)) + ONE_CALL
    assert min(map(len, calls)) > 0
    (counter,) = [key for key in broker_redis.scan_iter("*{budgets}*") if not key.endswith(b":holds")]
    assert broker_redis.hgetall(counter)[b"spent"] == str(total).encode()
    assert broker_redis.hgetall(counter)[b"held"] == b"0"
