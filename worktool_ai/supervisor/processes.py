"""Facts about processes of this machine, asked without any package.

A process is named by its pid *and* its start time, so that a recycled pid is never mistaken for ours and an innocent
process is never signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Identity", "command_line", "identify", "is_alive", "kill_all", "signal_process", "working_in"]

PROC = Path("/proc")


@dataclass(frozen=True)
class Identity:
    """One process: ``started`` is the kernel's start time (clock ticks since boot, or ``ps`` text on macOS)."""

    pid: int
    started: str


def _stat(pid: int) -> tuple[str, str] | None:
    """Return ``(state, start time)`` of a process, or None when there is none."""
    if PROC.is_dir():
        try:
            text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # the second field is the program's name in brackets and may hold blanks
        fields = text.rpartition(")")[2].split()
        return fields[0], fields[19]
    done = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = done.stdout.strip().partition(" ")
    return (state, started.strip()) if state else None


def identify(pid: int) -> Identity | None:
    """Return who runs under this pid now; None when nobody does (a zombie counts as nobody)."""
    stat = _stat(pid)
    if stat is None or stat[0].startswith(("Z", "X")):
        return None
    return Identity(pid, stat[1])


def is_alive(identity: Identity) -> bool:
    """Tell whether exactly this process still runs."""
    return identify(identity.pid) == identity


def command_line(pid: int) -> str:
    """Return the arguments of a process joined by blanks; empty when it is gone or a zombie."""
    if PROC.is_dir():
        try:
            return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    done = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def working_in(folder: Path) -> list[Identity]:
    """Return the live processes whose working directory is ``folder`` (Linux only; else empty)."""
    found = []
    for entry in PROC.glob("[0-9]*"):
        try:
            here = os.readlink(entry / "cwd") == str(folder)
        except OSError:
            continue
        identity = identify(int(entry.name)) if here else None
        if identity is not None:
            found.append(identity)
    return found


def signal_process(identity: Identity, number: int, *, group: bool = False) -> None:
    """Send a signal, but only to the very process meant; ``group`` sends it to the session that it leads."""
    if not is_alive(identity):
        return
    with suppress(ProcessLookupError, PermissionError):
        if group and os.getpgid(identity.pid) == identity.pid:
            os.killpg(identity.pid, number)
        else:
            os.kill(identity.pid, number)


def wait_gone(identities: Iterable[Identity], seconds: float) -> list[Identity]:
    """Wait until all are gone; returns those that still run when the time is up."""
    deadline = time.monotonic() + seconds
    left = [identity for identity in identities if is_alive(identity)]
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [identity for identity in left if is_alive(identity)]
    return left


def kill_all(identities: Iterable[Identity], *, first: int = signal.SIGTERM, grace: float, group: bool = False) -> None:
    """Ask with ``first``, wait ``grace`` seconds, then SIGKILL what is left and wait for that too."""
    wanted = list(identities)
    for identity in wanted:
        signal_process(identity, first, group=group)
    for identity in wait_gone(wanted, grace):
        signal_process(identity, signal.SIGKILL, group=group)
    wait_gone(wanted, 5)
