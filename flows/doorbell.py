"""The engine's doorbell."""

from __future__ import annotations

from worktool_ai.lib import doorbell

__all__ = ["ring"]


def ring(count: int = 1) -> None:
    """Tell the workers that about ``count`` conversations are due; never fails (:mod:`worktool_ai.lib.doorbell`)."""
    if count > 0:
        doorbell.ring("flows.advance", count)
