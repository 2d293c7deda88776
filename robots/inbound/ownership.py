"""Who reads a partition: whoever holds its advisory lock, on the very connection that writes its batches.

So an owner that has lost its connection cannot write any more, and its successor begins with what it left pending. One
that hangs is cut off by PostgreSQL itself (``idle_session_timeout``), which frees its partitions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection

from worktool_ai.lib.logs import get_logger

__all__ = ["Ownership"]

logger = get_logger(__name__)

#: The first key of the advisory locks; the second is the partition.
LOCK_CLASS = 0x1B0D
#: Seconds between two tries for partitions that somebody else owns.
RETRY_S = 2.0
#: A healthy owner asks something every half second.
IDLE_LIMIT = "15s"
_LOCK = "SELECT number FROM unnest(%s::int[]) AS number WHERE pg_try_advisory_lock(%s, number)"


class Ownership:
    """The partitions that this process owns. Methods raise Django's database errors when PostgreSQL is away."""

    def __init__(self, wanted: Iterable[int]) -> None:
        self._wanted = frozenset(wanted)
        self._owned: set[int] = set()
        self._session: Any = None
        self._tried_at = float("-inf")

    @property
    def owned(self) -> frozenset[int]:
        return frozenset(self._owned)

    @property
    def wanted(self) -> frozenset[int]:
        return self._wanted

    def refresh(self) -> frozenset[int]:
        """Return what this process owns now; tries for the rest every two seconds."""
        if self._session is None or connection.connection is not self._session:
            self._begin()
        if self._owned != self._wanted and time.monotonic() - self._tried_at >= RETRY_S:
            self._try()
        return self.owned

    def drop(self) -> None:
        """End the session and with it the ownership of everything."""
        self._session = None
        self._owned.clear()
        self._tried_at = float("-inf")
        # A pooled connection would keep its locks: the pool is closed with it.
        with suppress(DatabaseError, OSError):
            connection.close()
            close_pool: Callable[[], None] = getattr(connection, "close_pool")  # noqa: B009 - not in the base class
            close_pool()

    def _begin(self) -> None:
        self._owned.clear()
        self._tried_at = float("-inf")
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
            cursor.execute(f"SET idle_session_timeout = '{IDLE_LIMIT}'")
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_LIMIT}'")
        self._session = connection.connection

    def _try(self) -> None:
        self._tried_at = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [sorted(self._wanted - self._owned), LOCK_CLASS])
            taken = {row[0] for row in cursor.fetchall()}
        if taken:
            self._owned |= taken
            logger.info("inbound.partitions_taken", partitions=sorted(taken))
