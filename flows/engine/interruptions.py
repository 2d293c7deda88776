"""Runs whose walk broke off. A worker that lives says itself what counts:

* infrastructure that was away (:func:`~flows.engine.outages.is_outage`) counts nothing; the run is handed back as soon
  as the database can be told so,
* any other exception counts as a recovery and lets the run rest, longer each time,
* a worker that died says nothing: its run is found active by the next claim, which counts.

After more than ``RUN_MAX_RECOVERIES`` of them the run is *paused*: it may be what kills workers. People resume or stop
it (:mod:`flows.run_services`); the conversation goes on with its next run.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from alerts import services as alerts
from alerts.services import AlertDraft
from flows.engine import leases, store
from flows.engine.claims import HeadRun
from flows.engine.outages import is_outage
from flows.engine.store import EffectRow, Progress
from robots.hotpath import Settlement
from worktool_ai.lib.clock import now
from worktool_ai.lib.db import tx

__all__ = ["fail", "is_poisonous", "pause", "set_aside"]

log = structlog.get_logger(__name__)

MAX_REST_S = 60
#: So long a walk waits for a database that is away, to hand its run back; then the lease decides.
PATIENCE_S = 300
_FIRST_WAIT_S, _MAX_WAIT_S = 0.1, 2.0
MAX_ERROR = 2000
#: Chinese, like everything that colleagues read in WeCom.
TITLE = "一次流程运行多次中断，已暂停：请查看原因，再选择继续或停止"


def is_poisonous(head: HeadRun) -> bool:
    """Tell whether this run has broken off too often to be walked once more."""
    return head.recoveries > int(settings.RUN_MAX_RECOVERIES)


def set_aside(head: HeadRun, error: Exception) -> None:
    """Hand the run of a walk that raised ``error`` back. Waits for the database if need be; never raises."""
    outage = is_outage(error)
    if outage:
        log.warning("engine.walk_interrupted", error=type(error).__name__, reason=str(error)[:200])
    else:
        log.error("engine.walk_failed", recoveries=head.recoveries + 1, exc_info=error)
    wait, gives_up_at = _FIRST_WAIT_S, time.monotonic() + PATIENCE_S
    while True:
        try:
            _hand_back(head, None if outage else _text_of(error))
        except Exception as second:
            if not is_outage(second) or time.monotonic() > gives_up_at:
                log.exception("engine.not_handed_back")
                return
        else:
            return
        time.sleep(wait * random.uniform(0.5, 1.0))
        wait = min(2 * wait, _MAX_WAIT_S)


def _hand_back(head: HeadRun, error: str | None) -> None:
    """Queue the run again; ``error`` None means that nothing counts."""
    conversation, moment = head.claim.conversation_id, now()
    with tx(), connection.cursor() as cursor:
        if leases.lock(cursor, conversation) == head.claim.epoch:
            _queue_again(cursor, head, error)
            leases.release(cursor, [conversation], moment)
        elif error is None:
            # somebody has claimed it since and took the outage for a death of ours
            cursor.execute(
                "UPDATE flows_run SET recoveries = greatest(recoveries - 1, 0)"
                " WHERE id = %s AND state IN ('queued', 'active')",
                [head.run_id],
            )


def _queue_again(cursor: Any, head: HeadRun, error: str | None) -> None:
    rest = timedelta(seconds=0 if error is None else min(MAX_REST_S, 2**head.recoveries))
    cursor.execute(
        "UPDATE flows_run SET state = 'queued', recoveries = recoveries + %s, error = coalesce(%s, error),"
        " flush_at = %s WHERE id = %s AND state = 'active'",
        [int(error is not None), error, now() + rest, head.run_id],
    )


def _text_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:MAX_ERROR].replace("\0", "")


def pause(head: HeadRun) -> int | None:
    """Pause a poisonous run and tell people; returns how many runs are queued behind it, None if the lease was lost."""
    error = f"interrupted {head.recoveries} times" + (f"; the last time by {head.error}" if head.error else "")
    return _close(head, "paused", error, lambda: _alert(head, error))


def fail(head: HeadRun, error: Exception) -> int | None:
    """End a run whose version cannot be walked at all; returns as :func:`pause` does."""
    return _close(head, "failed", _text_of(error), lambda: None)


def _close(head: HeadRun, state: str, error: str, also: Callable[[], None]) -> int | None:
    progress = Progress(
        claim=head.claim,
        run_id=head.run_id,
        state=state,
        reason="flow_failed",
        error=error,
        ended_at=now() if state == "failed" else None,
        settlement=Settlement(message_id=head.message_id, reason="flow_failed", run_id=head.run_id),
        withdraws=True,
    )

    def perform() -> list[EffectRow]:
        also()
        return []

    log.error("engine.run_closed", state=state, runId=str(head.run_id), error=error)
    return store.write_with(progress, perform)


def _alert(head: HeadRun, error: str) -> None:
    """One open alert for all runs of a version: they mostly fail for one reason."""
    raised = alerts.raise_alert(
        AlertDraft(
            code="run_paused",
            level="warning",
            title=TITLE,
            fingerprint=f"run_paused:{head.version_id}",
            key=f"{head.run_id}:{head.recoveries}",
            robot_id=head.robot_id,
            room_id=head.room_id,
            message_id=head.message_id,
            run_id=head.run_id,
            data={
                "userName": head.input.get("user_name", ""),
                "groupName": head.input.get("group_name", ""),
                "error": error,
            },
        )
    )
    alerts.notify(raised.id, level="warning")
