"""A copy of small configuration tables in memory, which follows changes made by other processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import Error as DatabaseError

from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.versions import Known, Table, TableVersions, versions

__all__ = ["VersionedCache"]

logger = get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Copy(Generic[T]):
    value: T
    #: what was known of the tables just before it was read: a change in between is found by the next look
    known: Known


class VersionedCache(Generic[T]):
    """Holds what ``load()`` made of some tables, and loads again when one of them has changed.

    Whether they have is looked up once a second for all copies of the process (:mod:`worktool_ai.lib.versions`). A
    database error leaves the copy in use (it is logged); without a copy it is raised.
    """

    def __init__(self, load: Callable[[], T], *tables: Table, versions: TableVersions = versions) -> None:
        self._load = load
        self.tables = tables
        self.versions = versions
        self._lock = threading.Lock()
        self._held: _Copy[T] | None = None
        self._failed_at = float("-inf")

    def get(self) -> T:
        """Return the copy; at most a second (plus one look and one load) behind the database."""
        held = self._held
        if held is None:
            return self._first()
        known = self.versions.known()
        if known is not held.known and self._may_load() and self._lock.acquire(blocking=False):
            try:
                held = self._follow(held, known)
            finally:
                self._lock.release()
        return held.value

    def clear(self) -> None:
        """Forget the copy: the next reader loads. For the process that made a change, and for tests."""
        self._held = None

    def _first(self) -> T:
        with self._lock:
            held = self._held
            if held is None:
                known = self.versions.look(self.tables)
                held = self._held = _Copy(self._load(), known)
            return held.value

    def _may_load(self) -> bool:
        return time.monotonic() - self._failed_at >= self.versions.max_age_s

    def _follow(self, held: _Copy[T], known: Known) -> _Copy[T]:
        try:
            is_same = all(held.known[table] == known[table] for table in self.tables)
            held = self._held = _Copy(held.value if is_same else self._load(), known)
        except DatabaseError as error:
            self._failed_at = time.monotonic()
            logger.warning("cache.stale", cache=self._load.__qualname__, error=type(error).__name__)
        return held
