"""``make bench`` (docs/performance.md): measures everything, or the rows that share a run with ROW.

Exit status 0 when everything that was asked for was measured, whether or not a target was met; 2 else.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench import history, report
from tests.bench.measures import GROUPS, Bench, Measure, Results, inprocess
from tests.bench.rows import ROWS, Result
from tests.bench.sampler import environment as sampled
from tests.bench.subject import Subject, ledger_of, running_floor, split_off
from tests.measure import lines
from tests.measure.stack import running_stack, running_stub

MEASURED, INCOMPLETE = 0, 2
#: As many people as the largest round has lines.
PEOPLE = 2000
OLD_LINES = 5_000
WORKERS = "2"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    wanted = [options.row] if options.row else list(ROWS)
    started, found = time.monotonic(), dict[str, Result]()
    print(report.header(), flush=True)
    try:
        for results in _measured(wanted, options):
            found |= results
            for result in results.values():
                print(report.line(result), flush=True)
    except Exception:
        traceback.print_exc()
    ordered = [found[name] for name in ROWS if name in found]
    seconds = time.monotonic() - started
    report.write(ordered, seconds)
    missing = [name for name in wanted if name not in found]
    print(f"{len(ordered)} rows in {seconds:.0f} s: {report.JSON_FILE.name}, {report.PLOT_FILE.name}", flush=True)
    if missing:
        print(f"not measured: {', '.join(missing)}", file=sys.stderr)
    return INCOMPLETE if missing else MEASURED


def _measured(wanted: Sequence[str], options: argparse.Namespace) -> Iterator[Results]:
    """Yield the rows of each run that a wanted row needs, as soon as they are known."""
    groups = [measure for measure, names in GROUPS.items() if set(names) & set(wanted)]
    if groups:
        with running_bench(options, groups) as bench:
            for measure in groups:
                yield _attempted(measure, bench)
    if history.ROW in wanted:
        with running_bench(options, []) as bench:
            yield _attempted(history.measure, bench)


def _attempted(measure: Measure, bench: Bench) -> Results:
    """Measure; what fails its own check is told and left out, and the other rows are still measured."""
    try:
        return measure(bench)
    except Exception:
        traceback.print_exc()
        return {}


@contextmanager
def running_bench(options: argparse.Namespace, groups: Sequence[Measure]) -> Iterator[Bench]:
    """Start the product, the stub and (for the rows that need it) the floor, with people who have spoken before."""
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="worktool-bench-")))
        folder.chmod(0o755)
        workers = os.environ.get("WORKER_PROCESSES") or WORKERS
        stack = exits.enter_context(running_stack(folder, WORKER_PROCESSES=workers, **sampled(options.profile)))
        stub = exits.enter_context(running_stub(folder))
        product = Subject(stack.run["url"] + stack.door(), stack, stack.run["database_url"])
        bench = Bench(stack, product, None, stub, ledger_of(stack), options.rounds, options.scale)
        _prepare(bench)
        if inprocess in groups:
            floor_url = split_off(stack)
            bench.product = Subject(product.url, stack, stack.run["database_url"])  # its connection was lost by that
            bench.floor = exits.enter_context(running_floor(folder, stack, floor_url))
        yield bench


def _prepare(bench: Bench) -> None:
    """Let everybody speak once, and give them all some history."""
    bench.carry(bench.product, bench.size(PEOPLE))
    lines.give_history(bench.product.database)
    history.grow(bench.product.database, bench.size(OLD_LINES))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--row", default=os.environ.get("ROW") or None, choices=[*ROWS, None], help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of lines; for trying out")
    parser.add_argument("--profile", metavar="FOLDER", help="sample our processes' stacks into this folder")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
