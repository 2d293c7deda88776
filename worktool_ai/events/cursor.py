"""Where a client stands in the event log: ``<epoch>:<xid>-<id>``, in the order of ``EventBatch``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.conf import settings

__all__ = ["Batch", "BatchPosition", "Cursor", "stream_key"]

_FORMAT = re.compile(r"([0-9a-f-]{36}):(\d{1,19})-(\d{1,19})")


class BatchPosition(NamedTuple):
    """``(xid, id)`` of a batch; also, written ``<xid>-<id>``, its id in the Redis stream."""

    xid: int
    id: int

    def __str__(self) -> str:
        return f"{self.xid}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        xid, _, number = text.partition("-")
        return cls(int(xid), int(number))


class Batch(NamedTuple):
    """The events of one transaction at their position."""

    position: BatchPosition
    items: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last batch that a client has seen. ``epoch`` differs after a restore: older cursors mean nothing then."""

    epoch: UUID
    position: BatchPosition

    def __str__(self) -> str:
        return f"{self.epoch}:{self.position}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a cursor as a client sent it; None when it is none."""
        found = _FORMAT.fullmatch(text)
        if found is None:
            return None
        try:
            return cls(UUID(found[1]), BatchPosition(int(found[2]), int(found[3])))
        except ValueError:
            return None


def stream_key(epoch: UUID) -> str:
    """Return the name of the broker's stream of an epoch."""
    return f"{settings.REDIS_PREFIX}:events:{epoch}"
