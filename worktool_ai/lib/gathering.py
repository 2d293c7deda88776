"""Waiting for company: what comes together shares one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["gather"]


def gather(waiting: Callable[[], int], comes: Callable[[], bool], *, window_s: float, longest_s: float) -> None:
    """Wait while more ``comes`` and each window leaves more ``waiting`` than the last; never longer than ``longest_s``.

    Works in greenlets and in threads.
    """
    known, last = 0, time.monotonic() + longest_s
    while comes() and known < waiting() and time.monotonic() < last:
        known = waiting()
        time.sleep(window_s)
