"""What a worker checks before it takes work: the traps of running a thousand waits in one gevent process.

Each was met and measured (docs/decisions/0003-worker.md). A worker that would be slow or would block every run for one
wait must not start quietly.
"""

from __future__ import annotations

from typing import Any

import psycopg.waiting
from celery.signals import worker_init, worker_ready
from django.conf import settings
from gevent import monkey

from worktool_ai.lib import memory

__all__ = ["problems", "refuse_unfit", "settle_memory"]

LEAST_SLOTS = 1000
LEAST_BROKER_CONNECTIONS = 2000


def problems(concurrency: int, pool: str) -> list[str]:
    """Return what makes this process unfit to carry waiting runs; empty when it is fit."""
    found = []
    if "gevent" not in pool or not monkey.is_module_patched("socket"):
        found.append("the worker must run on the gevent pool: start it with `-P gevent`, patched before any import")
    if getattr(psycopg.waiting.wait, "__name__", "") == "wait_c":
        found.append("psycopg was imported before gevent patched the process: its waits would block every run")
    if concurrency < LEAST_SLOTS:
        found.append(f"-c {concurrency} is too few: with its window full Celery sleeps a second; use -c {LEAST_SLOTS}")
    options: dict[str, Any] = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    if options.get("max_connections", 0) < LEAST_BROKER_CONNECTIONS:
        found.append(f"broker max_connections must be {LEAST_BROKER_CONNECTIONS}, else acknowledgements are lost")
    if not settings.CELERY_TASK_ACKS_LATE:
        found.append("tasks must be acknowledged late: a killed worker's task is otherwise forgotten by the broker")
    return found


@worker_init.connect(weak=False)  # type: ignore[untyped-decorator]
def refuse_unfit(sender: Any = None, **_: Any) -> None:
    """Stop the worker at start-up, naming every reason at once."""
    found = problems(int(sender.concurrency or 0), str(sender.pool_cls))
    if found:
        raise SystemExit("this worker is not fit for work:\n- " + "\n- ".join(found))


@worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
def settle_memory(**_: Any) -> None:
    """A full collection of what the imports have left would stop every run."""
    memory.settle()
