"""Identifiers. Every row of ours is named by a UUIDv7: sortable by time, minted without a round trip."""

from __future__ import annotations

import uuid

from uuid_utils.compat import uuid7 as _uuid7

__all__ = ["uuid7"]


def uuid7() -> uuid.UUID:
    """Return a new time-ordered UUID (RFC 9562, version 7)."""
    return _uuid7()
