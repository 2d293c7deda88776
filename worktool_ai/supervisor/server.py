"""What PostgreSQL and Valkey have in common: a folder, a port, a process that outlives whoever started it."""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from worktool_ai.supervisor.layout import Account
from worktool_ai.supervisor.processes import Identity, command_line, identify, kill_all

__all__ = ["Server", "ServerError", "die_with_parent", "free_port", "is_free"]

#: Below the kernel's range for outgoing connections: a client that connects to a port of that range while nobody
#: listens there can be handed the same port for itself and end up talking to itself.
PORTS = range(20000, 32000)
PR_SET_PDEATHSIG = 1
#: Loaded here because between fork and exec the child may no longer be able to read our Python.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
LOG_LIMIT_BYTES = 16 * 1024 * 1024


class ServerError(RuntimeError):
    """A server did not come up; the message holds the end of its log."""


def is_free(port: int) -> bool:
    """Tell whether this loopback port can be bound now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(*, wanted: int | None = None, taken: frozenset[int] = frozenset()) -> int:
    """Return ``wanted`` when it is free, else a free loopback port not in ``taken``."""
    if wanted and wanted not in taken and is_free(wanted):
        return wanted
    for port in random.sample(PORTS, 200):
        if port not in taken and is_free(port):
            return port
    raise ServerError(f"no free port between {PORTS.start} and {PORTS.stop}")


def die_with_parent() -> None:
    """In a child before exec: ask the kernel for SIGKILL when the thread that started us ends (Linux only)."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server(ABC):
    """One embedded server.

    ``mortal`` servers die with the process that started them (tests); the others live on and are found again by
    :meth:`running`, so that a supervisor that was killed costs nothing.
    """

    #: Seconds to stop in an orderly way before SIGKILL.
    stop_seconds = 3.0
    stop_signal: int = signal.SIGTERM

    def __init__(self, name: str, folder: Path, account: Account | None, *, mortal: bool = False) -> None:
        self.name = name
        self.folder = folder
        self.account = account
        self.mortal = mortal
        self.port = 0
        self.spawned_at = 0.0
        self._child: subprocess.Popen[bytes] | None = None
        self._found: Identity | None = None

    @property
    def log_file(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.log")

    @abstractmethod
    def _recorded_pid(self) -> int | None:
        """Return the pid from the server's own pid file."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether it takes work now."""

    @abstractmethod
    def prepare(self) -> None:
        """Make its folder and configuration for ``self.port``, and clear what a killed one left."""

    @abstractmethod
    def _arguments(self) -> list[str | Path]: ...

    def running(self) -> Identity | None:
        """Return the live process that serves our folder, whoever started it; None for dead, zombie or foreign."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None  # polling has reaped it
        if self._found is not None and identify(self._found.pid) == self._found:
            return self._found
        self._found = self._find()
        return self._found

    def _find(self) -> Identity | None:
        pid = self._child.pid if self._child is not None else self._recorded_pid()
        if pid is None or str(self.folder) not in command_line(pid):
            return None
        return identify(pid)

    def spawn(self) -> None:
        """Start it in its own session, writing to its log file; does not wait until it is ready."""
        self.spawned_at = time.monotonic()
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_LIMIT_BYTES:
            self.log_file.replace(f"{self.log_file}.1")
        self.log_file.touch(mode=0o600)  # failing statements end up there with their values
        with self.log_file.open("ab") as log:
            self._child = self.execute(self._arguments(), log)

    def execute(self, arguments: Sequence[str | Path], output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        """Start a program as the server's user with nothing of our environment."""
        account = self.account
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self.folder.parent,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,
            preexec_fn=die_with_parent if self.mortal else None,
        )

    def own(self, path: Path) -> None:
        """Give a path to the server's user."""
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)

    def wait_ready(self, seconds: float) -> None:
        """Wait until it is ready; :class:`ServerError` with the end of its log when it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if self._child is not None and self._child.poll() is not None:
                raise ServerError(f"{self.name} ended at once. Its log says:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} was not ready after {seconds:.0f} s. Its log:\n{self.log_tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it in an orderly way, by force when it does not; nothing happens when it does not run."""
        running = self.running()
        if running is not None:
            kill_all([running], first=self.stop_signal, grace=self.stop_seconds)
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(5)
            self._child = None
        self._found = None

    def log_tail(self, lines: int = 8) -> str:
        """Return the last lines of its log."""
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
