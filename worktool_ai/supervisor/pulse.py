"""The supervisor's end of the watchdog: how long a child has been silent."""

from __future__ import annotations

import os
import time
from contextlib import suppress

__all__ = ["Pulse"]


class Pulse:
    """A pipe into which a child writes a byte a second (:mod:`worktool_ai.lib.watchdog`).

    Silence counts from the first byte on: starting takes as long as it takes. ``handed`` is the child's end.
    """

    def __init__(self) -> None:
        self._read, self.handed = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self.handed, False)
        self._heard_at: float | None = None

    def silent_s(self) -> float:
        """Return for how many seconds nothing has been heard; what waits in the pipe counts as heard now."""
        with suppress(BlockingIOError):
            if os.read(self._read, 65536):
                self._heard_at = time.monotonic()
        return 0.0 if self._heard_at is None else time.monotonic() - self._heard_at

    def release(self) -> None:
        """Give up our copy of the child's end, once it has been started."""
        os.close(self.handed)

    def close(self) -> None:
        os.close(self._read)
