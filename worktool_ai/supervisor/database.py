"""``python -m worktool_ai.supervisor.database NAME``: create a database on the server whose URL is the input."""

from __future__ import annotations

import sys
from contextlib import suppress

import psycopg
from psycopg import sql

__all__ = ["create"]


def create(url: str, name: str) -> None:
    """Create a database unless it is there already."""
    with (
        psycopg.connect(url, autocommit=True, connect_timeout=5) as connection,
        suppress(psycopg.errors.DuplicateDatabase),
    ):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


if __name__ == "__main__":
    create(sys.stdin.read(), *sys.argv[1:])
