"""One seed of make chaos: 2,000 lines under kills of every process and faults of the platform."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from tests.chaos.plan import FULL, draw
from tests.chaos.report import last_line
from tests.chaos.round import play

LINES = 2000


def check(say: Callable[[str], None]) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1, 1_000_000))
    say(f"seed {seed}")
    outcome = play(draw(seed, LINES, FULL), say)
    say(last_line([outcome]))
    assert not outcome.findings(), "; ".join(outcome.findings())
