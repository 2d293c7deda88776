"""What one worker process carries and costs, on the whole product: ``python -m tests.measure.worker``.

Each line comes through the door by HTTP, is stored by the consumer, walks the seeded flow in the one worker process
(``-P gevent -c 1000``), leaves through the outbox to the simulator, and its run ends on the result callback. The
worker's CPU is all that this takes in it: both claims, eight steps, two model calls, outbox call, waking. Every person
has 20 earlier lines. After each round every line must have its 8 steps, 2 model calls and 1 command.

Each timed round starts with a fresh worker that has carried 50 lines: imports are done, connections are not (``--warm``
keeps the worker of the round before). The last round of a variant is not timed: PostgreSQL logs its statements.
"""

from __future__ import annotations

import argparse
import json
import platform
import ssl
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg

from tests.lib.servers import certificate
from tests.measure import lines, meters
from tests.measure.lines import Round
from tests.measure.stack import Stack, running_stack, running_stub, wait_for
from tests.measure.statements import Count, counted

WARM_UP = 50
ROUND_S = 300.0
#: Statements of the worker that are shown, by the time that they took.
KINDS = 12
VARIANTS = ("local", "stub", "tls", "slow", "slow-tls")


@dataclass(frozen=True, slots=True)
class Figures:
    """One timed round. Milliseconds of CPU are per line."""

    rate: float
    worker_ms: float
    postgres_ms: float
    p50_s: float
    p95_s: float
    pss_mb: float
    in_flight: float
    connections: float
    yardstick_ms: float


@dataclass(frozen=True, slots=True)
class Variant:
    """Which model is asked: ``local``, or the stub with what its answers take, plain or with TLS."""

    name: str

    @property
    def is_local(self) -> bool:
        return self.name == "local"

    @property
    def has_tls(self) -> bool:
        return self.name.endswith("tls")

    @property
    def model(self) -> str:
        return "stub?sleep=2" if self.name.startswith("slow") else "stub"


class Bench:
    """Rounds of one variant on a running stack."""

    def __init__(
        self, stack: Stack, database: psycopg.Connection[Any], stub: str | None, trust: ssl.SSLContext, options: Any
    ) -> None:
        self.stack, self.database, self.stub, self.trust, self.options = stack, database, stub, trust, options
        self._number = int(time.time()) % 100_000  # texts differ from those of an earlier variant
        self._is_new = True

    def carry(self, count: int, rate: float = 0.0) -> datetime:
        """Say lines and wait until the last run has ended; returns when the first was said."""
        self._number += 1
        since = lines.say(self.stack, Round(self._number, count, rate))
        wait_for("all runs", lambda: lines.finished(self.database, since) >= count, ROUND_S)
        return since

    def check(self, since: datetime) -> None:
        """Raise unless every line said since then is whole."""
        if wrong := lines.faults(self.database, since):
            raise RuntimeError(f"{len(wrong)} lines are not whole: {wrong[:3]}")

    def timed(self) -> Figures:
        count = self.options.messages
        self._stub("DELETE")
        worker, postmaster = self.stack.pid("worker"), self.stack.pid("postgres")
        with psycopg.connect(self.stack.run["database_url"], autocommit=True) as own:
            sampler = meters.Sampler(pss_mb=lambda: meters.pss_mb(worker), connections=lambda: meters.connections(own))
            before = meters.cpu_ms(worker), meters.server_cpu_ms(postmaster)
            with sampler:
                since = self.carry(count, self.options.rate)
            after = meters.cpu_ms(worker), meters.server_cpu_ms(postmaster)
        self.check(since)
        took = lines.latency(self.database, since)
        return Figures(
            rate=took.rate,
            worker_ms=(after[0] - before[0]) / count,
            postgres_ms=(after[1] - before[1]) / count,
            p50_s=took.p50,
            p95_s=took.p95,
            in_flight=self._stub("GET").get("max_in_flight", 0),
            yardstick_ms=meters.yardstick_ms(),
            **sampler.highest,
        )

    def counted(self, log: Path) -> Count:
        with counted(self.database, log) as count:
            since = self.carry(self.options.messages, self.options.rate)
        self.check(since)
        return count

    def refresh(self) -> None:
        """Begin with a new worker process that has its imports, unless a warm one is wanted."""
        if self._is_new or not self.options.warm:
            self.stack.new_worker()
            self.carry(WARM_UP)
            self._is_new = False

    def _stub(self, method: str) -> dict[str, Any]:
        if self.stub is None:
            return {}
        request = Request(f"{self.stub}/stub/stats", method=method)
        with urlopen(request, timeout=30, context=self.trust if self.stub.startswith("https") else None) as answer:
            document: dict[str, Any] = json.load(answer)
            return document


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="worktool-measure-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        pem = certificate(folder)
        with running_stack(folder, SSL_CERT_FILE=str(pem)) as stack:
            print(f"{platform.platform()}, {options}, logs in {folder}", flush=True)
            for variant in options.variants:
                with _bench(stack, Variant(variant), folder, pem, options) as bench:
                    _measure(bench, variant, Path(stack.run["server_dir"]))


@contextmanager
def _bench(stack: Stack, variant: Variant, folder: Path, pem: Path, options: Any) -> Iterator[Bench]:
    with ExitStack() as exits:
        database = exits.enter_context(psycopg.connect(stack.run["database_url"], autocommit=True))
        stub = None
        if not variant.is_local:
            stub = exits.enter_context(running_stub(folder, pem if variant.has_tls else None))
        bench = Bench(stack, database, stub, ssl.create_default_context(cafile=str(pem)), options)
        lines.use_model(database, None)
        time.sleep(2.5)  # every process follows a change of models within two seconds
        if not lines.has_history(database):
            bench.carry(options.messages)
            lines.give_history(database)
        lines.use_model(database, f"{stub}/v1" if stub else None, variant.model)
        time.sleep(2.5)
        yield bench


def _measure(bench: Bench, name: str, server_dir: Path) -> None:
    rounds = []
    for number in range(bench.options.rounds):
        bench.refresh()
        rounds.append(bench.timed())
        _print(f"{name} {number + 1}", rounds[-1])
    middle = {f.name: statistics.median(getattr(item, f.name) for item in rounds) for f in fields(Figures)}
    _print(f"{name} median", Figures(**middle))
    if bench.options.statements:
        bench.refresh()
        _print_count(name, bench.counted(next(server_dir.glob("postgres-*.log"))), bench.options.messages)


def _print(name: str, found: Figures) -> None:
    print(
        f"{name:16} {found.rate:6.0f} /s  worker {found.worker_ms:5.2f} ms  postgres {found.postgres_ms:5.2f} ms"
        f"  P50 {found.p50_s:6.2f} s  P95 {found.p95_s:6.2f} s  PSS {found.pss_mb:4.0f} MB"
        f"  in flight {found.in_flight:5.0f}  connections {found.connections:3.0f}"
        f"  yardstick {found.yardstick_ms:3.0f} ms",
        flush=True,
    )


def _print_count(name: str, count: Count, messages: int) -> None:
    for application in sorted(count.statements):
        asked, commits = count.statements[application], count.commits[application]
        share = f"{asked / messages:6.2f} statements, {commits / messages:6.2f} commits a line"
        print(f"{name} {application or '-':20} {share}")
    print(f"{name} lease renewals {count.renewals}")
    for kind, took_ms in count.times_ms.most_common(KINDS):
        print(f"    {count.kinds[kind]:6} times {took_ms / messages:6.2f} ms a line  {kind}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.measure.worker", description=__doc__)
    parser.add_argument("variants", nargs="*", choices=[*VARIANTS, []], help="default: all")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=0.0, help="lines per second; 0: all at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm", action="store_true", help="keep the worker and its connections between rounds")
    parser.add_argument("--no-statements", dest="statements", action="store_false", help="leave out the counted round")
    options = parser.parse_args(arguments)
    options.variants = options.variants or list(VARIANTS)
    return options


if __name__ == "__main__":
    main()
