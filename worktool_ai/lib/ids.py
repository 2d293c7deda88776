"""Identifiers. Every row of ours is named by a UUIDv7: sortable by time, minted without a round trip."""

from __future__ import annotations

import uuid
from datetime import datetime

from uuid_utils.compat import uuid7 as _uuid7

__all__ = ["first_at", "uuid7"]

_BITS_BELOW_TIME = 80


def uuid7() -> uuid.UUID:
    """Return a new time-ordered UUID (RFC 9562, version 7)."""
    return _uuid7()


def first_at(moment: datetime) -> uuid.UUID:
    """Return the bound of all ids minted before a moment, below every later one: for ranges of a primary key."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << _BITS_BELOW_TIME)
