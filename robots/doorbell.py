"""The outbox's doorbell."""

from __future__ import annotations

from django.db import transaction

from worktool_ai.lib import doorbell

__all__ = ["ring", "ring_after_commit"]


def ring() -> None:
    """Have some worker send what is queued; never fails (:mod:`worktool_ai.lib.doorbell`)."""
    doorbell.ring("robots.drain_outbox")


def ring_after_commit() -> None:
    """Ring once the transaction that queued something is there to be seen."""
    transaction.on_commit(ring)
