"""A copy of a small configuration table in memory, which follows changes made by other processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import Error as DatabaseError

from worktool_ai.lib.logs import get_logger

__all__ = ["MAX_AGE_S", "VersionedCache"]

logger = get_logger(__name__)

T = TypeVar("T")

#: A change made anywhere is seen everywhere within two seconds: one of them is this, the other for the look itself.
MAX_AGE_S = 1.0


class VersionedCache(Generic[T]):
    """Holds what ``load()`` returned, and loads again when ``version()`` has changed.

    ``version`` is cheap and is asked at most once per ``max_age_s`` and process; while one caller asks, the
    others are served the copy at hand. A database error leaves the copy in use (it is logged); without a copy
    it is raised.
    """

    def __init__(self, load: Callable[[], T], version: Callable[[], object], *, max_age_s: float = MAX_AGE_S) -> None:
        self._load = load
        self._version = version
        self.max_age_s = max_age_s
        self._lock = threading.Lock()
        self._held: tuple[object, T] | None = None
        self._looked_at = float("-inf")

    def get(self) -> T:
        """Return the copy; at most ``max_age_s`` (plus one look) behind the database."""
        held = self._held
        if held is None:
            return self._first()
        if time.monotonic() - self._looked_at >= self.max_age_s and self._lock.acquire(blocking=False):
            try:
                held = self._look(held)
            finally:
                self._lock.release()
        return held[1]

    def clear(self) -> None:
        """Forget the copy: the next reader loads. For the process that made a change, and for tests."""
        self._held = None

    def _first(self) -> T:
        with self._lock:
            if self._held is None:
                self._held = (self._version(), self._load())
                self._looked_at = time.monotonic()
            return self._held[1]

    def _look(self, held: tuple[object, T]) -> tuple[object, T]:
        # Set first: while the database is away, callers do not queue up to find that out one by one.
        self._looked_at = time.monotonic()
        try:
            # The version is read before the rows: a change in between is found by the next look.
            version = self._version()
            if version != held[0]:
                held = self._held = (version, self._load())
        except DatabaseError as error:
            logger.warning("cache.stale", cache=self._load.__qualname__, error=type(error).__name__)
        return held
