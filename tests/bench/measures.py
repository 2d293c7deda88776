"""How each row is measured. Rows that share a run are one function, which returns them all."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from robots.simulator.testing import SimulatorClient
from tests.bench.load import Posted
from tests.bench.rows import ROWS, Result
from tests.bench.subject import APPLICATION, Carried, Subject, pids_of
from tests.measure import lines, meters
from tests.measure.lines import Round
from tests.measure.stack import Stack
from tests.measure.statements import Count, counted

__all__ = ["GROUPS", "Bench", "Results"]

Results = dict[str, Result]

#: Senders that post one line after the other.
SENDERS = 50
OPEN_CONNECTIONS = 1000
#: Every process follows a change of models within two seconds.
FOLLOW_S = 2.5
WARM_UP = 100
ENGINE_RATE, CALLBACK_RATE, TWO_CALLS_RATE = 100.0, 300.0, 200.0
OPEN_LOOP_S = 10.0
#: A lone line has ended, and what follows it is done, long before the next one comes.
LONE_PAUSE_S = 0.6
IDLE_S = 15.0


@dataclass(slots=True)
class Bench:
    """A running stack with the floor and the model stub beside it."""

    stack: Stack
    product: Subject
    floor: Subject | None
    stub: str
    ledger: SimulatorClient
    rounds: int
    scale: float
    _number: int = field(default_factory=lambda: int(time.time()) % 100_000)

    def size(self, lines_at_full_scale: int) -> int:
        return max(20, round(lines_at_full_scale * self.scale))

    def next_round(self, count: int, rate: float = 0.0, first: int = 0) -> Round:
        """Return lines whose texts nobody has said before."""
        self._number += 1
        return Round(self._number, count, rate, first)

    def carry(
        self, subject: Subject, count: int, rate: float = 0.0, *, connections: int = SENDERS, repeats: int = 1
    ) -> tuple[Carried, dict[str, float]]:
        """Carry a round and judge it: every line whole, answered exactly once. Returns the sends' times by person."""
        seen = self.ledger.control("GET", "ledger", since=2**62)["last"]
        carried = subject.carry(self.next_round(count, rate), connections, repeats)
        subject.check(carried)
        return carried, _sends_of(self.ledger.sends(seen), count)

    def use_model(self, model: str | None) -> None:
        """Let every persona ask the stub (``model`` says how it behaves), or the model in process, and warm up."""
        lines.use_model(self.product.database, f"{self.stub}/v1" if model else None, model or "")
        time.sleep(FOLLOW_S)
        self.carry(self.product, self.size(WARM_UP))

    @contextmanager
    def yardstick(self, results: Results) -> Iterator[None]:
        """Note what neighbours on the machine make of a millisecond, before and after each round."""
        before = meters.yardstick_ms()
        yield
        reading = (before + meters.yardstick_ms()) / 2
        for result in results.values():
            result.yardsticks.append(reading)

    def results(self, n: int, *names: str) -> Results:
        return {name: Result(ROWS[name], n) for name in names}


def _sends_of(entries: Sequence[dict[str, Any]], count: int) -> dict[str, float]:
    """Return when each person was answered (epoch seconds); raises unless each was answered exactly once."""
    answered = Counter(command["atList"][0] for entry in entries for command in entry["commands"])
    if len(answered) != count or set(answered.values()) != {1}:
        raise RuntimeError(f"{len(answered)} of {count} people answered, most often {answered.most_common(1)}")
    moments = ((datetime.fromisoformat(entry["at"]).timestamp(), entry) for entry in entries)
    return {command["atList"][0]: at for at, entry in moments for command in entry["commands"]}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def inprocess(bench: Bench) -> Results:
    count = bench.size(2000)
    names = ("throughput_inprocess", "cpu_ms_inprocess", "cpu_ms_postgres", "commits_load")
    found = bench.results(count, *names)
    bench.use_model(None)
    for _ in range(bench.rounds):
        with bench.yardstick(found):
            for subject in (bench.product, bench.floor):
                if subject is None:
                    continue
                carried, _sends = bench.carry(subject, count)
                figures = (carried.rate, carried.cost.ours_ms, carried.cost.postgres_ms, carried.cost.xid / count)
                for name, figure in zip(names, figures, strict=True):
                    (found[name].runs if subject is bench.product else found[name].floors).append(figure)
    return found


def sdk(bench: Bench) -> Results:
    count = bench.size(1500)
    found = bench.results(count, "throughput_sdk", "cpu_ms_sdk")
    bench.use_model("stub")
    for _ in range(bench.rounds):
        with bench.yardstick(found):
            carried, _sends = bench.carry(bench.product, count)
            found["throughput_sdk"].runs.append(carried.rate)
            found["cpu_ms_sdk"].runs.append(carried.cost.ours_ms)
    return found


def callbacks_300(bench: Bench) -> Results:
    """A third of the callbacks are lines to be answered; the others repeat them, which costs the door the same."""
    count = bench.size(round(ENGINE_RATE * OPEN_LOOP_S))
    repeats = round(CALLBACK_RATE / ENGINE_RATE)
    found = bench.results(count * repeats, "callback_p99_ms_300")
    bench.use_model(None)
    for _ in range(bench.rounds):
        with bench.yardstick(found):
            carried, _sends = bench.carry(
                bench.product, count, ENGINE_RATE, connections=OPEN_CONNECTIONS, repeats=repeats
            )
            found["callback_p99_ms_300"].runs.append(percentile(_latencies(carried.posted), 0.99))
    return found


def paced_100(bench: Bench) -> Results:
    count = bench.size(round(ENGINE_RATE * OPEN_LOOP_S))
    found = bench.results(count, "callback_p95_ms_100", "engine_p95_ms")
    bench.use_model(None)
    for _ in range(bench.rounds):
        with bench.yardstick(found):
            carried, _sends = bench.carry(bench.product, count, ENGINE_RATE)
            found["callback_p95_ms_100"].runs.append(percentile(_latencies(carried.posted), 0.95))
            beyond = lines.engine_ms(bench.product.database, carried.since)
            found["engine_p95_ms"].runs.append(percentile(beyond, 0.95))
    return found


def callback_burst(bench: Bench) -> Results:
    count = bench.size(1000)
    found = bench.results(count, "callback_burst_s")
    bench.use_model(None)
    for _ in range(bench.rounds):
        with bench.yardstick(found):
            carried, _sends = bench.carry(bench.product, count, connections=count)
            found["callback_burst_s"].runs.append(max(_latencies(carried.posted)) / 1000)
    return found


def two_calls_open(bench: Bench) -> Results:
    return _two_calls(bench, "two_calls_open_p95_s", round(TWO_CALLS_RATE * OPEN_LOOP_S), TWO_CALLS_RATE, SENDERS)


def two_calls_burst(bench: Bench) -> Results:
    return _two_calls(bench, "two_calls_burst_p95_s", 1000, 0.0, OPEN_CONNECTIONS)


def _two_calls(bench: Bench, name: str, full: int, rate: float, connections: int) -> Results:
    """Seconds from the moment at which a callback was due to its answer's arrival at the platform."""
    count = bench.size(full)
    found = bench.results(count, name)
    bench.use_model("stub?sleep=2")
    for _ in range(bench.rounds):
        with bench.yardstick(found):
            carried, sends = bench.carry(bench.product, count, rate, connections=min(connections, count))
            took = [sends[Round.name(person)] - posted.due for person, posted in enumerate(carried.posted)]
            found[name].runs.append(percentile(took, 0.95))
    return found


def _latencies(posted: Sequence[Posted]) -> list[float]:
    return [one.ms for one in posted]


def statements_load(bench: Bench) -> Results:
    count = bench.size(1000)
    found = bench.results(count, "statements_load")
    bench.use_model(None)
    for _ in range(bench.rounds):
        with bench.yardstick(found):
            with counted(bench.product.database, _log(bench.stack)) as asked:
                bench.carry(bench.product, count)
            found["statements_load"].runs.append(_ours(asked) / count)
    return found


def lone(bench: Bench) -> Results:
    """One line at a time; what an idle product asks and writes in the same time is not counted."""
    count = 10
    found = bench.results(count, "commits_lone", "statements_lone")
    bench.use_model(None)
    idle_commits, idle_statements, idle_s = _counted(bench, lambda: time.sleep(IDLE_S))
    for _ in range(bench.rounds):
        with bench.yardstick(found):
            commits, statements, seconds = _counted(bench, partial(_say_alone, bench, count, said := []))
            bench.product.check(said[0])  # looks at all that has come since
            found["commits_lone"].runs.append((commits - idle_commits / idle_s * seconds) / count)
            found["statements_lone"].runs.append((statements - idle_statements / idle_s * seconds) / count)
    return found


def _say_alone(bench: Bench, count: int, said: list[Carried]) -> None:
    """Say one line after the other, each of another person, and note them in ``said``: they are judged later."""
    for person in range(count):
        said.append(bench.product.carry(bench.next_round(1, first=person), connections=1))
        time.sleep(LONE_PAUSE_S)


def _counted(bench: Bench, action: Callable[[], None]) -> tuple[float, float, float]:
    """Return the writing transactions and the statements of an action, and the seconds that it took."""
    before, started = bench.product.cost(), time.monotonic()
    with counted(bench.product.database, _log(bench.stack)) as asked:
        action()
    seconds = time.monotonic() - started
    return bench.product.cost().xid - before.xid, _ours(asked), seconds


def _ours(asked: Count) -> int:
    """Count the statements of the product's processes."""
    return sum(number for application, number in asked.statements.items() if application != APPLICATION)


def _log(stack: Stack) -> Path:
    return next(Path(stack.run["server_dir"]).glob("postgres-*.log"))


def memory(bench: Bench) -> Results:
    """After bursts of 1000 lines that all wait for their models at the same time."""
    count = bench.size(1000)
    found = bench.results(count, "memory_pss_mb")
    bench.use_model("stub?sleep=2")
    for _ in range(bench.rounds):
        with bench.yardstick(found):
            bench.carry(bench.product, count, connections=count)
            pids = [*pids_of(bench.stack), bench.stack.run["supervisor"]]
            found["memory_pss_mb"].runs.append(sum(meters.pss_mb(pid) for pid in pids))
    return found


Measure = Callable[[Bench], Results]
#: What is measured on one stack, in this order; the names are the rows that a function returns.
GROUPS: dict[Measure, tuple[str, ...]] = {
    lone: ("commits_lone", "statements_lone"),
    inprocess: ("throughput_inprocess", "cpu_ms_inprocess", "cpu_ms_postgres", "commits_load"),
    statements_load: ("statements_load",),
    sdk: ("throughput_sdk", "cpu_ms_sdk"),
    paced_100: ("callback_p95_ms_100", "engine_p95_ms"),
    callbacks_300: ("callback_p99_ms_300",),
    callback_burst: ("callback_burst_s",),
    two_calls_open: ("two_calls_open_p95_s",),
    two_calls_burst: ("two_calls_burst_p95_s",),
    memory: ("memory_pss_mb",),
}
