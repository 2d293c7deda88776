"""One loop per process that claims what is due and works it off side by side, however often the bell rings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from worktool_ai.lib.concurrency import spawn
from worktool_ai.lib.logs import get_logger

__all__ = ["Pump", "Step"]

logger = get_logger(__name__)

#: What one round found: the calls to make, side by side, and how many rows it moved; none means that nothing is due.
Step = Callable[[], tuple[Sequence[Callable[[], None]], int]]
#: Between two rounds for each call under way, at most the second figure: what becomes due meanwhile shares one claim.
PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.05


class Pump:
    """Asks ``step`` until nothing is due, and again at each ring while calls of earlier rounds are under way.

    So a slow call keeps nothing else waiting, and a hundred bells cost a few rounds.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._runs = False
        self._rung = False
        self._under_way = 0

    def ring(self) -> bool:
        """Have the loop look again; False when none runs in this process."""
        with self._lock:
            self._rung = self._runs
            self._bell.set()
            return self._runs

    def run(self) -> int:
        """Work off what is due; returns how many rows were moved, at once and with 0 when the loop runs already."""
        with self._lock:
            self._rung = True
            if self._runs:
                self._bell.set()
                return 0
            self._runs = True
        moved = 0
        try:
            while self._awaits_round():
                moved += self._round()
        except BaseException:
            self._abandon()
            raise
        return moved

    def _awaits_round(self) -> bool:
        """Wait for a ring; False when everything has ended without one, and with it the loop."""
        while True:
            with self._lock:
                if self._rung:
                    self._rung = False
                    break
                if not self._under_way:
                    self._runs = False
                    return False
                self._bell.clear()
            self._bell.wait()
        if self._under_way:
            time.sleep(min(self._under_way * PAUSE_S, LONGEST_PAUSE_S))
        return True

    def _round(self) -> int:
        calls, moved = self._step()
        with self._lock:
            self._under_way += len(calls)
            self._rung = self._rung or moved > 0
        for call in calls:
            spawn(partial(self._call, call))
        return moved

    def _call(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            logger.exception("pump.call_failed")  # what it was about stands in its rows, and is looked after there
        finally:
            with self._lock:
                self._under_way -= 1
                self._bell.set()

    def _abandon(self) -> None:
        """Let the calls that are under way end; whoever rings next starts anew."""
        while True:
            with self._lock:
                if not self._under_way:
                    self._runs = False
                    return
                self._bell.clear()
            self._bell.wait()
