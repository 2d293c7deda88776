"""What travels from the hub to a socket: several batches of events at once, encoded once per view."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from monitoring.live.view import View
from worktool_ai.events.cursor import Batch, Cursor

__all__ = ["CloseCode", "End", "Frame", "message"]


class CloseCode(IntEnum):
    """Why the server ended a socket (4000 and up are an application's own)."""

    RIGHTS_CHANGED = 4403
    RELOAD = 4409
    TRY_AGAIN = 4503


@dataclass(frozen=True, slots=True)
class End:
    """The last thing in a queue: tell the client why, and close."""

    code: CloseCode


@dataclass(slots=True)
class Frame:
    """Batches that were read together; ``cursor`` is where a client stands that has seen them."""

    batches: Sequence[Batch]
    cursor: Cursor
    _encoded: dict[View, str] = field(default_factory=dict)

    def encoded(self, view: View) -> str:
        """Return the visible events as the inside of a JSON array; empty when there are none."""
        if view not in self._encoded:
            shown = (view.show(item) for batch in self.batches for item in batch.items)
            self._encoded[view] = ",".join(
                json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in shown if item
            )
        return self._encoded[view]


def message(kind: str, cursor: Cursor, **more: Any) -> str:
    """Return a message other than events (hello, heartbeat, reload) as text."""
    return json.dumps({"type": kind, "cursor": str(cursor), **more}, ensure_ascii=False)
