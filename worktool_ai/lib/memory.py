"""The memory of a process that has started and goes on for weeks."""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from collections.abc import Callable

__all__ = ["settle"]

#: Containers that outlive their makers before the young ones are looked through, and how many such looks make one at
#: the middle-aged and at all. Python's own figures fit scripts; ours hold thousands of rows at once, without cycles.
THRESHOLDS = (20_000, 20, 50)
#: Seconds between two looks whether a burst is over, and the share of a core above which a process is at work.
LOOK_S, BUSY = 0.5, 0.15


def settle() -> None:
    """Take what start-up has left out of the collector's sight, let it look more rarely at the rest, and from now on
    give back what bursts have left.

    A full collection of everything that was imported stops a process for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    trim = _trimmer()
    if trim is not None:
        threading.Thread(target=_give_back, args=(trim,), name="memory", daemon=True).start()


def _trimmer() -> Callable[[int], int] | None:
    """Return glibc's ``malloc_trim``; None elsewhere."""
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim


def _give_back(trim: Callable[[int], int]) -> None:
    """Trim when work has turned to rest: glibc keeps freed pages between used ones, and finding them takes 10 ms."""
    before, was_busy = time.process_time(), True
    while True:
        time.sleep(LOOK_S)
        now = time.process_time()
        is_busy, before = now - before > BUSY * LOOK_S, now
        if was_busy and not is_busy:
            trim(0)
        was_busy = is_busy
