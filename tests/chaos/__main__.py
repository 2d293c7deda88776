"""``make chaos [SEED=] [SEEDS=1] [LINES=2000] [KILLS=20]``: 0 all is well, 1 a finding of ours, 2 could not run.

The last line of the output is a JSON object; what comes before it is for people.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from types import FrameType

from tests.chaos import plan
from tests.chaos.report import last_line
from tests.chaos.round import play
from tests.chaos.stack import CouldNotRun

OK, FOUND, COULD_NOT_RUN = 0, 1, 2


def main(environment: Mapping[str, str]) -> int:
    """Play one seed after the other; returns the exit status."""
    try:
        first = _number(environment, "SEED", random.SystemRandom().randrange(1, 1_000_000))
        seeds = range(first, first + _number(environment, "SEEDS", 1))
        lines, kills = _number(environment, "LINES", 2000), _number(environment, "KILLS", plan.FULL)
        print(f"seed {first}" + (f" to {seeds[-1]}" if len(seeds) > 1 else ""), flush=True)
        outcomes = [play(plan.draw(seed, lines, kills), _Voice(seed).say) for seed in seeds]
    except CouldNotRun as error:
        print(f"could not run: {error}", file=sys.stderr, flush=True)
        return COULD_NOT_RUN
    except Exception:  # ours, not the product's: nothing was shown
        traceback.print_exc()
        return COULD_NOT_RUN
    print(last_line(outcomes), flush=True)
    return FOUND if any(outcome.findings() for outcome in outcomes) else OK


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not text.isdigit() or int(text) < 1:
        raise CouldNotRun(f"{name}={text} must be a whole number from 1.")
    return int(text)


class _Voice:
    """Prints with the seconds since it began."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        print(f"[{self._seed} {time.monotonic() - self._began:6.1f} s] {text}", flush=True)


def _on_signal(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _on_signal)
    try:
        sys.exit(main(os.environ))
    except KeyboardInterrupt:
        sys.exit(COULD_NOT_RUN)
