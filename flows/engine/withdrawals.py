"""Taking back what a run has queued and nobody has sent yet."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from robots import transitions
from robots.models import Command, CommandState

__all__ = ["withdraw_queued"]


def withdraw_queued(run_ids: Sequence[UUID], reason: str = "the run failed") -> int:
    """Withdraw the queued commands of runs, in the caller's transaction; returns how many.

    One that the outbox has in its hands is skipped, not waited for: it is being sent or closed.
    """
    rows = Command.objects.filter(run_id__in=run_ids, state=CommandState.QUEUED).order_by("pk")
    found = rows.select_for_update(skip_locked=True).values_list("pk", flat=True)
    return transitions.withdraw(found, reason)
