"""Notices when the ``make`` that started us was told to stop.

Ctrl-C reaches a whole terminal group, but ``kill -INT`` reaches make alone: it does not pass the signal on and waits
for us. Once it has been interrupted it no longer catches SIGINT, and that shows in /proc.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from worktool_ai.supervisor.processes import Identity, identify, is_alive

__all__ = ["Launcher"]

MAKE_NAMES = ("make", "gmake")


class Launcher:
    """The parent process, where it is a make; watching any other kind does nothing."""

    def __init__(self) -> None:
        self._make = self._parent_make()
        self._catches = self._make is not None and self._catches_interrupts()

    @staticmethod
    def _parent_make() -> Identity | None:
        parent = os.getppid()
        try:
            name = Path(f"/proc/{parent}/comm").read_text(encoding="utf-8").strip()
        except OSError:
            return None
        return identify(parent) if name in MAKE_NAMES else None

    def _catches_interrupts(self) -> bool:
        if self._make is None:
            return False
        try:
            lines = Path(f"/proc/{self._make.pid}/status").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        mask = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
        return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)

    def wants_stop(self) -> bool:
        """Tell whether that make was interrupted, or is gone."""
        if self._make is None:
            return False
        if not is_alive(self._make):
            return True
        return self._catches and not self._catches_interrupts()
