"""The deliverer's doorbell."""

from __future__ import annotations

from worktool_ai.lib import doorbell

__all__ = ["ring"]


def ring() -> None:
    """Tell the workers that deliveries are due; never fails (:mod:`worktool_ai.lib.doorbell`)."""
    doorbell.ring("alerts.deliver_due")
