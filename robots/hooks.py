"""What the gateway tells the apps above it, in its own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from worktool_ai.lib.hooks import Hook

__all__ = ["commands_final"]

#: These commands have just been answered by the platform or closed by us: their state will not change to "unknown".
#: Called with their ids inside the transaction that closes them.
commands_final: Hook[[Sequence[UUID]]] = Hook("robots.commands_final")
