"""What people decide about a run: go on with a paused one, or stop one that has not ended."""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction
from django.http import HttpRequest

from flows import doorbell
from flows.engine import leases
from flows.engine.withdrawals import withdraw_queued
from flows.models import ENDED, Run, RunState, Wait, WaitState
from robots import hotpath as robot_rows
from robots.hotpath import Settlement
from robots.models import Reason
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import User
from worktool_ai.lib.clock import now

__all__ = ["resume", "stop"]


@transaction.atomic
def resume(run_id: UUID, actor: User | None, request: HttpRequest | None = None) -> bool:
    """Queue a paused run again, its recoveries forgotten; false (and nothing done) if it is not paused any more.

    What it has stored is kept: it goes on where it broke off. An answer that is no longer fresh is still not sent.
    """
    run = _locked(run_id)
    if run.state != RunState.PAUSED:
        return False
    before = _facts(run)
    run.state, run.recoveries, run.flush_at = RunState.QUEUED, 0, None
    run.save(update_fields=["state", "recoveries", "flush_at"])
    _recount(run)
    audit.record(actor, "run.resume", run, before, _facts(run), request)
    transaction.on_commit(lambda: doorbell.ring())
    return True


@transaction.atomic
def stop(run_id: UUID, actor: User | None, request: HttpRequest | None = None) -> bool:
    """End a run for good; false (and nothing done) if it has ended already.

    Whoever walks it can write nothing any more. What it has queued and nobody has sent yet is withdrawn, and so is
    its line; one that is still open is settled as ``flow_failed``.
    """
    run = _locked(run_id)
    if run.state in ENDED:
        return False
    before, was_active = _facts(run), run.state == RunState.ACTIVE
    # ended before anything is withdrawn: that must not wake it
    Run.objects.filter(pk=run.pk).update(state=RunState.STOPPED, ended_at=now())
    Wait.objects.filter(run=run, state=WaitState.OPEN).update(state=WaitState.EXPIRED)
    withdrawn = withdraw_queued([run.pk], "the run was stopped")
    run.state, run.reason = RunState.STOPPED, Reason.WITHDRAWN if withdrawn else run.reason or Reason.FLOW_FAILED
    run.save(update_fields=["reason"])
    with connection.cursor() as cursor:
        robot_rows.settle_messages(cursor, [Settlement(message_id=run.message_id, reason=run.reason, run_id=run.pk)])
    _recount(run, fence=was_active)
    audit.record(actor, "run.stop", run, before, {**_facts(run), "withdrawn": withdrawn}, request)
    transaction.on_commit(lambda: doorbell.ring())
    return True


def _locked(run_id: UUID) -> Run:
    """Lock the lease, then the run: in the order in which workers do."""
    run = Run.objects.get(pk=run_id)
    with connection.cursor() as cursor:
        leases.lock(cursor, run.conversation_id)
    return Run.objects.select_for_update(of=("self",)).get(pk=run_id)


def _recount(run: Run, *, fence: bool = False) -> None:
    with connection.cursor() as cursor:
        if fence:
            leases.release(cursor, [run.conversation_id], now(), fence=True)
        else:
            leases.recount(cursor, [run.conversation_id], now())


def _facts(run: Run) -> dict[str, object]:
    return {"state": run.state, "recoveries": run.recoveries, "reason": run.reason}
