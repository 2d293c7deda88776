"""A sampler of stacks by CPU time, for the product's processes under load.

Each process that starts with ``BENCH_SAMPLES=<folder>`` (and tests/bench/startup on its PYTHONPATH, which makes Python
import this at start) writes ``<folder>/<process>.<pid>.json``: how often each stack was seen at a tick of its CPU
clock. Waiting is not seen. ``python -m tests.bench.sampler FILE…`` prints the shares.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

__all__ = ["environment", "main", "start"]

VARIABLE = "BENCH_SAMPLES"
ROOT = Path(__file__).resolve().parent.parent.parent
PERIOD_S = 0.002  # the kernel may round it up to its own tick
#: Written after so many samples: a process may be killed at its end.
FLUSH = 2000
DEPTH = 80
SHOWN = 60

Stacks = Counter[tuple[str, ...]]


def environment(folder: str | None) -> dict[str, str]:
    """Return what lets the product's processes sample themselves into a folder; nothing for None."""
    if folder is None:
        return {}
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join(filter(None, [str(ROOT / "tests" / "bench" / "startup"), os.environ.get("PYTHONPATH")]))
    return {VARIABLE: str(Path(folder).resolve()), "PYTHONPATH": path}


def start() -> None:
    """Sample this process from now on, if it is one of the product's and was asked to."""
    folder, name = os.environ.get(VARIABLE), os.environ.get("PROCESS_NAME")
    if not folder or not name or name == "simulator":
        return
    path, stacks, flushing = Path(folder) / f"{name}.{os.getpid()}.json", Stacks(), threading.Lock()

    def flush() -> None:
        with flushing:
            path.write_text(json.dumps([[list(stack), seen] for stack, seen in stacks.items()]), encoding="utf-8")

    def sample(_number: int, frame: FrameType | None) -> None:
        if flushing.locked():  # a tick of our own work, in the middle of it
            return
        stacks[_stack(frame)] += 1
        if stacks.total() % FLUSH == 0:
            flush()

    def stop() -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)  # Python takes its handlers back at the end: a tick would then kill
        flush()

    atexit.register(stop)
    signal.signal(signal.SIGPROF, sample)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, PERIOD_S, PERIOD_S)


def _stack(frame: FrameType | None) -> tuple[str, ...]:
    """Return the functions from the innermost outwards."""
    found: list[str] = []
    while frame is not None and len(found) < DEPTH:
        file = frame.f_code.co_filename.rpartition("site-packages/")[2].removeprefix(f"{ROOT}/")
        found.append(f"{file}:{frame.f_code.co_qualname}")
        frame = frame.f_back
    return tuple(found)


def main(files: Sequence[str]) -> None:
    """Print the shares of what was running itself, and of what it was running for."""
    own, cumulated, total = Counter[str](), Counter[str](), 0
    for file in files:
        for stack, seen in json.loads(Path(file).read_text(encoding="utf-8")):
            total += seen
            own[stack[0]] += seen
            for function in set(stack):
                cumulated[function] += seen
    print(f"{total} samples")
    for title, counts in (("itself", own), ("with what it calls", cumulated)):
        print(f"-- {title}")
        for function, seen in counts.most_common(SHOWN):
            print(f"{100 * seen / total:5.1f} % {function}")


if __name__ == "__main__":
    main(sys.argv[1:])
