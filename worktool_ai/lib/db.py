"""Connections of greenlets and threads that nobody cleans up after, and cursors for the hot path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

__all__ = ["borrowed", "prepared_cursor", "tx"]


@contextmanager
def borrowed() -> Iterator[None]:
    """Give the connection back to the pool afterwards, unless an outer transaction still needs it.

    Without this, every greenlet that once asked the database keeps a connection, and the pool runs dry.
    """
    nested = connection.in_atomic_block
    try:
        yield
    finally:
        if not nested:
            connection.close()


@contextmanager
def tx() -> Iterator[None]:
    """One transaction on a borrowed connection."""
    with borrowed(), transaction.atomic():
        yield


def prepared_cursor() -> CursorWrapper:
    """Return a cursor whose statements PostgreSQL parses and plans once for each connection, not each time.

    For the statements of the hot path: with all their parts they take longer to plan than to run for a few lines.
    Parameters travel beside the text, so PostgreSQL must be able to tell their types (``%(rows)s::jsonb``).
    """
    if connection.queries_logged:  # Django's log of statements shows their parameters, which here lie beside them
        return connection.cursor()
    connection.ensure_connection()
    cursor: Any = _PreparedCursor(connection.connection)
    return connection.make_cursor(cursor)


class _PreparedCursor(psycopg.Cursor[Any]):
    """Django's own cursors put parameters into the text: each call would be another statement."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> _PreparedCursor:
        return super().execute(query, params, **{"prepare": True, **options})
