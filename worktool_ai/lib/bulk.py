"""Bulk writes of the hot path: rows as JSON parameters, and several tables' rows in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worktool_ai.lib.json_rows import encode

__all__ = ["Part", "execute"]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows for one table.

    ``sql`` is one or more common table expressions that read the parameter ``%(name)s::jsonb`` (the rows) and, in the
    last of them, write. Their names are unique in the whole statement.
    """

    name: str
    sql: str
    rows: Sequence[Any]


def execute(cursor: Any, parts: Sequence[Part], select: str = "SELECT 1", **parameters: Any) -> None:
    """Write all parts that have rows as one statement: one round trip, one snapshot, all or nothing.

    ``parameters`` are what the parts or ``select`` read beside their rows.
    What a part reads it sees as it was before the statement; foreign keys between parts are checked at its end.
    """
    written = [part for part in parts if part.rows]
    if written:
        statement = "WITH " + ", ".join(part.sql for part in written) + " " + select
        cursor.execute(statement, parameters | {part.name: encode(part.rows) for part in written})
