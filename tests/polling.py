"""Waiting for what other threads and processes do: by looking often, never by sleeping long enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

POLL_S = 0.03

T = TypeVar("T")


def eventually(probe: Callable[[], T], seconds: float = 30.0, what: str = "") -> T:
    """Poll until ``probe`` returns something true and return it; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, f"{what or 'condition'}: still {found!r} after {seconds:g} s"
        time.sleep(POLL_S)
    return found
