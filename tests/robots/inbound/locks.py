"""Who owns partitions, as the server knows it."""

from __future__ import annotations

from django.db import connection


def owners() -> set[int]:
    """The server processes that hold partitions of this database: other tests own some of their own databases."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
            " WHERE locktype = 'advisory' AND datname = current_database()"
        )
        return {pid for (pid,) in cursor.fetchall()}
