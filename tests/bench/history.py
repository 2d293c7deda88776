"""Old messages: what a line costs when the tables are full of them."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from psycopg import sql

from tests.bench.measures import Bench, Results
from tests.measure import meters

__all__ = ["ROW", "grow", "measure"]

ROW = "history_ratio"
#: Old rows in robots_message: customers' lines and their answers.
FEW, MANY = 10_000, 200_000
LINES = 1000
#: A copied generation lies so many seconds before the oldest one, the first before yesterday: outside of what the
#: product still looks after.
FIRST_AGE_S, GENERATION_S = 2 * 86_400, 3_600

#: Moves a UUIDv7 back in time: its first 48 bits are milliseconds. What referred to the old id refers to the new one
#: when it is moved by the same time.
_OLDER = """
CREATE OR REPLACE FUNCTION pg_temp.older(id uuid, ms bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
SELECT (lpad(to_hex(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - ms), 12, '0')
        || substr(replace(id::text, '-', ''), 13))::uuid
$$
"""
#: Tables of a line, their condition for being cloned, and the columns with ids of the clone's own rows.
_TABLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("robots_message", "row.run_id IN (SELECT id FROM cloned)", ("id", "run_id")),
    ("flows_run", "row.id IN (SELECT id FROM cloned)", ("id", "message_id")),
    ("flows_step", "row.run_id IN (SELECT id FROM cloned)", ("id", "run_id")),
    ("flows_effect", "row.run_id IN (SELECT id FROM cloned)", ("id", "run_id")),
    ("flows_wait", "row.run_id IN (SELECT id FROM cloned)", ("id", "run_id", "key")),
    ("robots_command", "row.run_id IN (SELECT id FROM cloned)", ("id", "run_id", "message_id")),
    (
        "robots_commandresult",
        "row.command_id IN (SELECT id FROM robots_command WHERE run_id IN (SELECT id FROM cloned))",
        ("id", "command_id"),
    ),
    ("personas_aicall", "row.run_id IN (SELECT id FROM cloned)", ("id", "run_id", "message_id")),
)
#: They keep their transactions' ids, which the relay has passed, and the age of what is still kept.
_EVENTS = """
INSERT INTO events_eventbatch (xid, created_at, items)
SELECT xid, created_at - interval '30 hours', items FROM events_eventbatch
 WHERE created_at BETWEEN (SELECT min(created_at) FROM cloned) AND (SELECT max(ended_at) FROM cloned)
"""


def grow(database: psycopg.Connection[Any], lines: int) -> None:
    """Add ``lines`` old lines with all their rows: copies of those that were answered last, in SQL.

    What they say, who says it and where stays; ids and times are older. Events come with them, as batches.
    """
    database.execute(_OLDER)
    database.execute("DROP TABLE IF EXISTS cloned")
    database.execute(
        "CREATE TEMP TABLE cloned AS SELECT id, created_at, ended_at FROM flows_run"
        " WHERE state = 'done' AND created_at > now() - interval '1 hour' ORDER BY id DESC LIMIT 2000"
    )
    database.execute("ANALYZE cloned")
    row = database.execute(
        "SELECT count(*), (SELECT extract(epoch FROM now() - min(created_at))::int FROM flows_run) FROM cloned"
    ).fetchone()
    assert row is not None
    size, oldest_s = row
    for number in range(1, -(-lines // size) + 1):
        _clone(database, max(FIRST_AGE_S, oldest_s) + number * GENERATION_S)
    database.execute("VACUUM ANALYZE")


def _clone(database: psycopg.Connection[Any], age_s: int) -> None:
    """Copy one generation, ``age_s`` seconds older. Constraints on single rows hold; references are right as built."""
    with database.transaction():
        database.execute("SET LOCAL session_replication_role = replica")  # no check of each reference: much faster
        for table, condition, ids in _TABLES:
            columns = _columns(database, table)
            names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
            values = sql.SQL(", ").join(_value(name, kind, ids) for name, kind in columns.items())
            query = sql.SQL("INSERT INTO {0} ({1}) SELECT {2} FROM {0} AS row WHERE {3}").format(
                sql.Identifier(table), names, values, sql.SQL(condition)
            )
            database.execute(query, {"ms": age_s * 1000, "s": age_s})
        database.execute(_EVENTS)


def _value(name: str, kind: str, ids: tuple[str, ...]) -> sql.Composable:
    if name in ids:
        return sql.SQL("pg_temp.older(row.{}, %(ms)s)").format(sql.Identifier(name))
    if name == "seq":
        return sql.SQL("row.seq - %(s)s::bigint * 1000")  # below all that the database has given
    if kind == "timestamp with time zone":
        return sql.SQL("row.{} - make_interval(secs => %(s)s)").format(sql.Identifier(name))
    return sql.SQL("row.{}").format(sql.Identifier(name))


def _columns(database: psycopg.Connection[Any], table: str) -> dict[str, str]:
    """Return names and types; what the database makes itself of the others is left out."""
    rows = database.execute(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER'",
        [table],
    )
    return dict(rows.fetchall())


def _count(database: psycopg.Connection[Any]) -> int:
    row = database.execute("SELECT count(*) FROM robots_message").fetchone()
    assert row is not None
    return int(row[0])


def measure(bench: Bench) -> Results:
    """CPU of ours and of PostgreSQL per line with many old messages, as a multiple of that with few."""
    count = bench.size(LINES)
    found = bench.results(count, ROW)
    bench.use_model(None)
    costs: dict[int, list[float]] = {}
    for wanted in (FEW, MANY):
        grow(bench.product.database, max(0, bench.size(wanted) - _count(bench.product.database)) // 2)
        time.sleep(1.0)
        bench.carry(bench.product, count)
        with bench.yardstick(found):
            costs[wanted] = [_cost(bench, count) for _ in range(bench.rounds)]
    found[ROW].runs = [many / few for many, few in zip(costs[MANY], costs[FEW], strict=True)]
    return found


def _cost(bench: Bench, count: int) -> float:
    """Return CPU milliseconds per line, put right by the yardstick: the two states are not measured side by side."""
    before = meters.yardstick_ms()
    carried, _sends = bench.carry(bench.product, count)
    return (carried.cost.ours_ms + carried.cost.postgres_ms) / (before + meters.yardstick_ms())
