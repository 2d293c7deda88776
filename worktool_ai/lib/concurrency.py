"""Doing several waits at once: greenlets where gevent runs the process, threads elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

__all__ = ["run_all", "spawn", "time_limit"]

MAX_THREADS = 32


def run_all(calls: Sequence[Callable[[], None]]) -> None:
    """Call all of them at the same time and return when the last one has ended.

    An error of one does not stop the others; the first is raised at the end.
    """
    if len(calls) == 1:
        calls[0]()
    elif calls and _patched_by_gevent():
        _in_greenlets(calls)
    elif calls:
        _in_threads(calls)


def spawn(call: Callable[[], None]) -> None:
    """Start a call that nobody waits for here; its errors are its own to tell."""
    if _patched_by_gevent():
        import gevent

        gevent.spawn(call)
    else:
        threading.Thread(target=call, daemon=True).start()


def _patched_by_gevent() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


def _in_greenlets(calls: Sequence[Callable[[], None]]) -> None:
    import gevent  # only where it already runs the process

    greenlets = [gevent.spawn(call) for call in calls]
    gevent.joinall(greenlets)
    for greenlet in greenlets:
        greenlet.get()


def _in_threads(calls: Sequence[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(max_workers=min(MAX_THREADS, len(calls))) as pool:
        futures = [pool.submit(call) for call in calls]
    for future in futures:
        future.result()


@contextmanager
def time_limit(seconds: float, error: Exception) -> Iterator[None]:
    """Raise ``error`` in a block that waits longer than this; in plain threads nobody can, and it just waits."""
    if not _patched_by_gevent():
        yield
        return
    import gevent

    with gevent.Timeout(seconds, error):
        yield
