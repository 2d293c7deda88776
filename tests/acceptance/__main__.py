"""``make accept [ROW=name]``: what is too long for the test suite. 0 all rows pass, else 1."""

from __future__ import annotations

import os
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import FrameType, ModuleType

from tests.acceptance import rows

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Result:
    """``failure`` is empty for a row that passed."""

    name: str
    seconds: float
    failure: str = ""


def main(environment: Mapping[str, str]) -> int:
    """Run the wanted rows one after the other; returns the exit status."""
    names = sorted(module.name for module in pkgutil.iter_modules(rows.__path__))
    wanted = environment.get("ROW")
    if wanted and wanted not in names:
        print(f"ROW={wanted}: no such row; one of {', '.join(names)}", file=sys.stderr)
        return 1
    results = [_run(import_module(f"{rows.__name__}.{name}")) for name in ([wanted] if wanted else names)]
    _tell(results)
    return 1 if any(result.failure for result in results) else 0


def _run(module: ModuleType) -> Result:
    name, began = module.__name__.rpartition(".")[2], time.monotonic()
    say = _voice(name)
    say(str(module.__doc__).partition("\n")[0])
    failure = _failure_of(module.check, say)
    seconds = time.monotonic() - began
    say(f"FAILED after {seconds:.0f} s: {failure}" if failure else f"passed after {seconds:.0f} s")
    return Result(name, seconds, failure)


def _failure_of(check: Callable[[Callable[[str], None]], None], say: Callable[[str], None]) -> str:
    try:
        check(say)
    except AssertionError as error:
        return str(error) or "an assertion failed"
    except Exception as error:  # a row that breaks off has not shown what it is there for
        say(traceback.format_exc())
        return f"{type(error).__name__}: {error}"
    return ""


def _voice(name: str) -> Callable[[str], None]:
    return lambda text: print(f"[{name}] {text}", flush=True)


def _tell(results: Iterable[Result]) -> None:
    print(f"\n{'row':20} {'time':>8}  result")
    for result in results:
        first = result.failure.partition("\n")[0]
        print(f"{result.name:20} {result.seconds:6.0f} s  {f'FAILED: {first}' if first else 'passed'}", flush=True)


def _on_signal(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _on_signal)
    try:
        sys.exit(main(os.environ))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
