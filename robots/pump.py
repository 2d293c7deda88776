"""One loop per process that claims what is due and works it off side by side, however often the bell rings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from worktool_ai.lib.concurrency import spawn
from worktool_ai.lib.logs import get_logger

__all__ = ["Found", "Pump", "Turns"]

logger = get_logger(__name__)

#: Between two rounds for each call under way, at most the second figure: what becomes due meanwhile shares one claim.
PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.01


@dataclass(frozen=True, slots=True)
class Found:
    """What one round found: the calls to make, side by side, how many rows it moved, and whether to look again."""

    calls: Sequence[Callable[[], None]] = ()
    moved: int = 0
    more: bool = False


class Turns(Protocol):
    """Decides which of several processes makes its rounds (:class:`robots.turn.Turn`)."""

    def take(self) -> bool: ...
    def hear(self) -> bool: ...
    def leave(self) -> bool: ...


class _Alone:
    """There is no other process."""

    def take(self) -> bool:
        return True

    def hear(self) -> bool:
        return False

    def leave(self) -> bool:
        return False


class Pump:
    """Asks ``step`` while there is more, and again at each ring while calls of earlier rounds are under way.

    So a slow call keeps nothing else waiting, and a hundred bells cost few rounds. Between processes ``turns`` decides;
    each ``tick_s`` it is asked whether another one has rung.
    """

    def __init__(
        self, step: Callable[[], Found], turns: Callable[[], Turns] = _Alone, tick_s: float | None = None
    ) -> None:
        self._step = step
        self._turns = turns
        self._tick_s = tick_s
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
        while not self._is_rung():
            if self._under_way:
                if not self._bell.wait(self._tick_s) and self._turns().hear():
                    break
            elif self._turns().leave():
                break
            elif self._ends():
                return False
        if self._under_way:
            time.sleep(min(self._under_way * PAUSE_S, LONGEST_PAUSE_S))
        return True

    def _is_rung(self) -> bool:
        with self._lock:
            rung, self._rung = self._rung, False
            self._bell.clear()
            return rung

    def _ends(self) -> bool:
        with self._lock:
            self._runs = self._rung or self._under_way > 0
            return not self._runs

    def _round(self) -> int:
        if not self._turns().take():
            return 0
        found = self._step()
        with self._lock:
            self._under_way += len(found.calls)
            self._rung = self._rung or found.more
        for call in found.calls:
            spawn(partial(self._call, call))
        return found.moved

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
