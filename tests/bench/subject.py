"""What answers lines and is measured: the product, or the floor beside it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from robots.simulator.testing import SimulatorClient
from tests.bench.load import Callback, Posted, post
from tests.measure import lines, meters
from tests.measure.lines import Round
from tests.measure.stack import Stack, wait_for
from worktool_ai.lib.ids import first_at
from worktool_ai.supervisor.environment import ROOT

__all__ = ["APPLICATION", "OURS", "Carried", "Cost", "Subject", "ledger_of", "pids_of", "running_floor", "split_off"]

#: The roles of our processes; stand-ins, load, PostgreSQL and Valkey are not among them.
OURS = ("web", "consumer", "worker", "beat", "relay")
ROUND_S = 240.0
#: The relay's last look and the workers' last acknowledgements belong to a round, too.
TAIL_S = 0.5
FLOOR_DATABASE = "floor"
#: What the bench itself asks of the database is not counted.
APPLICATION = "bench"


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds since their start, and the next transaction id of the server."""

    ours_ms: float
    postgres_ms: float
    xid: int

    def since(self, before: Cost, lines: int) -> Cost:
        """Return what each of ``lines`` has cost; ``xid`` stays the number of all writing transactions."""
        return Cost(
            (self.ours_ms - before.ours_ms) / lines,
            (self.postgres_ms - before.postgres_ms) / lines,
            self.xid - before.xid,
        )


@dataclass(frozen=True, slots=True)
class Carried:
    """One round: ``posted`` in the order of the people, ``seconds`` from the first callback to the last run's end.

    ``cost`` is per line.
    """

    since: datetime
    count: int
    posted: list[Posted]
    seconds: float
    cost: Cost

    @property
    def rate(self) -> float:
        return self.count / self.seconds


class Subject:
    """``processes`` is asked at each reading: a process that was replaced in between would falsify a round."""

    def __init__(self, url: str, stack: Stack, database_url: str, processes: list[int] | None = None) -> None:
        self.url = url
        self._stack = stack
        self._processes = processes
        self.database = psycopg.connect(database_url, autocommit=True, application_name=APPLICATION)

    def pids(self) -> list[int]:
        return self._processes if self._processes is not None else pids_of(self._stack)

    def cost(self) -> Cost:
        row = self.database.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").fetchone()
        assert row is not None
        ours = sum(meters.cpu_ms(pid) for pid in self.pids())
        return Cost(ours, meters.server_cpu_ms(self._stack.pid("postgres")), row[0])

    def carry(self, spoken: Round, connections: int, repeats: int = 1) -> Carried:
        """Post a round's lines (each ``repeats`` times) and wait until each has been dealt with to its end."""
        pids, before = self.pids(), self.cost()
        posted = post(self.url, callbacks_of(spoken, repeats), connections)
        since = datetime.fromtimestamp(min(one.due for one in posted)).astimezone()
        self.wait(since, spoken.count)
        seconds = self._ended(since) - min(one.due for one in posted)
        time.sleep(TAIL_S)
        after = self.cost()
        if self.pids() != pids:
            raise RuntimeError("a process was started anew in the middle of a round")
        return Carried(since, spoken.count, posted, seconds, after.since(before, spoken.count))

    def wait(self, since: datetime, count: int) -> None:
        query = "SELECT count(*) FROM flows_run WHERE id >= %s AND ended_at IS NOT NULL"
        wait_for("all runs", lambda: self._number(query, [first_at(since)]) >= count, ROUND_S)

    def _ended(self, since: datetime) -> float:
        query = "SELECT extract(epoch FROM max(ended_at))::float8 FROM flows_run WHERE id >= %s"
        return self._number(query, [first_at(since)])

    def _number(self, query: str, values: Sequence[Any]) -> float:
        row = self.database.execute(query, values).fetchone()
        assert row is not None
        return float(row[0])

    def check(self, carried: Carried) -> None:
        """Raise unless every line of a round is whole: done, eight steps, two model calls, one command."""
        if wrong := lines.faults(self.database, carried.since - timedelta(milliseconds=1)):
            raise RuntimeError(f"{len(wrong)} lines are not whole: {wrong[:3]}")


def callbacks_of(spoken: Round, repeats: int = 1) -> list[Callback]:
    """Return the bodies with their moments; repeats follow each other at the same pace."""
    step = 1 / (spoken.rate * repeats) if spoken.rate else 0.0
    bodies = [spoken.body(person) for person in range(spoken.count) for _ in range(repeats)]
    return [Callback(number * step, body) for number, body in enumerate(bodies)]


def pids_of(stack: Stack) -> list[int]:
    processes = stack.run["processes"]
    return [pid for role in OURS for pid in processes[role]]


def split_off(stack: Stack) -> str:
    """Copy the product's database as it is now for the floor, which then has tables of its own; returns its URL.

    The product loses its connections for a moment, as at a restart of PostgreSQL.
    """
    url, _, name = stack.run["database_url"].rpartition("/")
    with psycopg.connect(f"{url}/postgres", autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            server.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
            server.execute(f"CREATE DATABASE {FLOOR_DATABASE} TEMPLATE {name} STRATEGY file_copy")
        finally:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    wait_for("/readyz", stack.is_ready)
    return f"{url}/{FLOOR_DATABASE}"


@contextmanager
def running_floor(folder: Path, stack: Stack, database_url: str) -> Iterator[Subject]:
    """Run the floor as a process of its own for the length of the block."""
    arguments = ["-m", "tests.bench.floor", "--database", database_url, "--simulator", stack.run["simulator_url"]]
    with (folder / "floor.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"the floor did not start: {Path(log.name).read_text(encoding='utf-8')[-1000:]}")
            yield Subject(url, stack, database_url, [process.pid])
        finally:
            process.terminate()
            process.wait(10)


def ledger_of(stack: Stack) -> SimulatorClient:
    """Return a client of the simulator's ledger."""
    return SimulatorClient(stack.run["simulator_url"], stack.run["simulator_token"])
