"""The floor's rows: those of a line that the product has answered, with ids of their own, committed in groups."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

__all__ = ["Batch", "Template", "Writer"]

Row = dict[str, Any]
#: Tables of a line's rows, in the order in which foreign keys let them be written, and the column that names the run.
TABLES = (
    ("robots_message", "run_id"),
    ("flows_run", "id"),
    ("flows_step", "run_id"),
    ("flows_effect", "run_id"),
    ("flows_wait", "run_id"),
    ("robots_command", "run_id"),
    ("personas_aicall", "run_id"),
)
ORDER = {
    name: number
    for number, name in enumerate(
        ["robots_message", "robots_fingerprint", "flows_run", "flows_conversationlease", "robots_command"]
    )
}
#: Written by the database itself.
OWN = frozenset({"seq", "fingerprint"})
_EVENT = "INSERT INTO events_eventbatch (created_at, items) VALUES (clock_timestamp(), %s::jsonb)"
_LEASE = """
INSERT INTO flows_conversationlease AS lease (conversation_id, queued, epoch, holder)
SELECT DISTINCT ON (conversation_id) conversation_id, 0, 1, ''
  FROM jsonb_populate_recordset(NULL::flows_conversationlease, %s::jsonb)
ON CONFLICT (conversation_id) DO UPDATE SET epoch = lease.epoch + 1
"""


class Template:
    """The rows and events of one answered line, by table, as the product left them."""

    def __init__(self, database: psycopg.Connection[Any]) -> None:
        found = database.execute("SELECT id FROM flows_run WHERE state = 'done' ORDER BY seq DESC LIMIT 1").fetchone()
        assert found is not None
        run: UUID = found[0]
        self.rows = {table: _rows(database, table, column, run) for table, column in TABLES}
        self.rows["robots_commandresult"] = _rows(
            database, "robots_commandresult", "command_id", self.rows["robots_command"][0]["id"]
        )
        self.rows["robots_message"].sort(key=lambda row: row["direction"])  # in, out
        self.rows["flows_step"].sort(key=lambda row: int(row["ordinal"]))
        self.rows["personas_aicall"].sort(key=lambda row: row["task"])  # intent, reply
        self.rows["flows_effect"].sort(key=lambda row: row["kind"])  # send_commands, wait_for
        (digest,) = _rows(database, "robots_fingerprint", "message_id", self.rows["robots_message"][0]["id"])
        self.rows["robots_fingerprint"] = [digest]
        self.events = _events(database, str(run), self.rows["robots_message"][0]["id"])

    def row(self, table: str, number: int = 0, /, **changes: Any) -> Row:
        """Return a copy of a row with other values."""
        return {**self.rows[table][number], **changes}

    def of_events(self, *types: str, nodes: Iterable[str] = ()) -> list[Row]:
        """Return the events of these types, and those of these nodes' steps."""
        return [
            event
            for event in self.events
            if event["type"] in types or (event["type"] == "node_executed" and event["data"]["nodeId"] in nodes)
        ]


def _rows(database: psycopg.Connection[Any], table: str, column: str, key: UUID | str) -> list[Row]:
    query = sql.SQL("SELECT to_jsonb(t) FROM {} AS t WHERE {} = %s").format(
        sql.Identifier(table), sql.Identifier(column)
    )
    return [row[0] for row in database.execute(query, [key])]


def _events(database: psycopg.Connection[Any], run: str, message: str) -> list[Row]:
    query = (
        "SELECT event FROM events_eventbatch, jsonb_array_elements(items) AS event"
        " WHERE event->>'runId' = %s OR event->>'messageId' = %s ORDER BY events_eventbatch.id"
    )
    return [row[0] for row in database.execute(query, [run, message])]


@dataclass(slots=True)
class Batch:
    """Rows to insert and to change, and events: all in one transaction."""

    inserts: list[tuple[str, Row]] = field(default_factory=list)
    updates: list[tuple[str, Row]] = field(default_factory=list)
    leases: list[UUID] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    written: threading.Event = field(default_factory=threading.Event)


class Writer:
    """Commits whatever waits as one group, one statement a table; ``write`` returns after the commit."""

    def __init__(self, database_url: str) -> None:
        self._database = psycopg.connect(database_url, autocommit=True)
        self._waiting: list[Batch] = []
        self._called = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def write(self, batch: Batch) -> None:
        self._waiting.append(batch)
        self._called.set()
        batch.written.wait()

    def _run(self) -> None:
        while True:
            self._called.wait()
            self._called.clear()
            group, self._waiting = self._waiting, []
            if group:
                self._commit(group)
            for batch in group:
                batch.written.set()

    def _commit(self, group: list[Batch]) -> None:
        inserts: defaultdict[str, list[Row]] = defaultdict(list)
        updates: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
        for batch in group:
            for table, row in batch.inserts:
                inserts[table].append(row)
            for table, row in batch.updates:
                updates[table, *row].append(row)
        leases = [{"conversation_id": conversation} for batch in group for conversation in batch.leases]
        events = [event for batch in group for event in batch.events]
        with self._database.transaction(), self._database.cursor() as cursor:
            for table in sorted(inserts, key=lambda name: ORDER.get(name, len(ORDER))):
                cursor.execute(_insert(table, inserts[table][0]), [_dumps(inserts[table])])
            for (table, *columns), rows in updates.items():
                cursor.execute(_update(table, columns), [_dumps(rows)])
            if leases:
                cursor.execute(_LEASE, [_dumps(leases)])
            if events:
                cursor.execute(_EVENT, [_dumps(events)])


def _insert(table: str, row: Row) -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in row if name not in OWN)
    return sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM jsonb_populate_recordset(NULL::{0}, %s::jsonb)").format(
        sql.Identifier(table), columns
    )


def _update(table: str, columns: list[str]) -> sql.Composed:
    changed = sql.SQL(", ").join(
        sql.SQL("{0} = new.{0}").format(sql.Identifier(name)) for name in columns if name != "id"
    )
    return sql.SQL(
        "UPDATE {0} SET {1} FROM jsonb_populate_recordset(NULL::{0}, %s::jsonb) AS new WHERE {0}.id = new.id"
    ).format(sql.Identifier(table), changed)


def _dumps(rows: list[Row]) -> str:
    return json.dumps(rows, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
