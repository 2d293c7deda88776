"""Tell cheaply whether small configuration tables have changed since they were last read."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from django.db import Error as DatabaseError
from django.db import connection, models
from psycopg import sql

from worktool_ai.lib.db import borrowed
from worktool_ai.lib.logs import get_logger

__all__ = ["MAX_AGE_S", "Known", "TableVersions", "versions"]

log = get_logger(__name__)

#: A change made anywhere is seen everywhere within two seconds: one of them is this, the other for the look itself.
MAX_AGE_S = 1.0

Table = type[models.Model]
#: What differs after any change of a table. The same object as long as nothing has changed.
Known = Mapping[Table, tuple[int, ...]]

_WRITERS = sql.SQL("SELECT {number}, count(*), coalesce(sum(xmin::text::bigint), 0) FROM {table}")
_CONTENTS = sql.SQL(
    "SELECT {number}, count(*), coalesce(sum(hashtextextended((to_jsonb(row) - {volatile}::text[])::text, 0)), 0)"
    " FROM {table} AS row"
)


class TableVersions:
    """The versions of all tables that this process has asked for, looked up together: one statement, once a second.

    A version is built from the row count and the ids of the transactions that wrote the rows, so no column has to be
    kept up to date. A model with ``volatile_columns`` has some that are no configuration and change all day: the
    others' contents are compared instead. Reads every row: for tables of hundreds of rows, not of lines.
    """

    def __init__(self, *, max_age_s: float = MAX_AGE_S) -> None:
        self.max_age_s = max_age_s
        self._lock = threading.Lock()
        self._known: Known = MappingProxyType({})
        self._looked_at = float("-inf")

    def look(self, tables: Sequence[Table]) -> Known:
        """Look now, at these tables too from now on. Raises a database error."""
        with self._lock:
            self._look({*self._known, *tables})
            return self._known

    def known(self) -> Known:
        """Return what is known of all tables, at most ``max_age_s`` (plus one look) behind the database.

        While one caller looks the others get what was known. A database error leaves that in use (it is logged).
        """
        if time.monotonic() - self._looked_at >= self.max_age_s and self._lock.acquire(blocking=False):
            try:
                self._look_again()
            finally:
                self._lock.release()
        return self._known

    def _look_again(self) -> None:
        try:
            self._look(set(self._known))
        except DatabaseError as error:
            log.warning("versions.stale", error=type(error).__name__)

    def _look(self, tables: set[Table]) -> None:
        # Set first: while the database is away, callers do not queue up to find that out one by one.
        self._looked_at = time.monotonic()
        found = _read(sorted(tables, key=lambda table: table._meta.db_table))
        if found != self._known:
            self._known = MappingProxyType(found)


def _read(tables: Sequence[Table]) -> dict[Table, tuple[int, ...]]:
    query = sql.SQL(" UNION ALL ").join(_version_of(number, table) for number, table in enumerate(tables))
    with borrowed(), connection.cursor() as cursor:
        cursor.execute(query.as_string())
        return {tables[number]: (int(count), int(total)) for number, count, total in cursor.fetchall()}


def _version_of(number: int, table: Table) -> sql.Composed:
    names = {"number": sql.Literal(number), "table": sql.Identifier(table._meta.db_table)}
    volatile: Sequence[str] = getattr(table, "volatile_columns", ())
    if volatile:
        return _CONTENTS.format(**names, volatile=sql.Literal(list(volatile)))
    return _WRITERS.format(**names)


versions = TableVersions()
