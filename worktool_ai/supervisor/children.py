"""The programs that make up the product, and one running copy of such a program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from worktool_ai.lib.watchdog import VARIABLE as WATCHDOG
from worktool_ai.supervisor.output import Log
from worktool_ai.supervisor.processes import Identity, identify
from worktool_ai.supervisor.pulse import Pulse
from worktool_ai.supervisor.server import die_with_parent

__all__ = ["Child", "Program", "programs_of", "stop_all"]

#: A child that lived at least this long died by accident, and is started again at once.
SETTLED_S = 10.0
DRAIN_S = 1.0
FIRST_DELAY_S = 0.1
#: The first deaths in a row cost at most 1 s each; a program that cannot start at all is tried every 5 s.
LADDER_S = (FIRST_DELAY_S, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0, 2.0, 5.0)
#: A process of which there is one, silent for so long, hangs. Restarted, it answers within the promised 15 s.
HUNG_S = 8.0
#: The other workers take over from a silent one when its leases end; this only brings it back.
WORKER_HUNG_S = 60.0


@dataclass(frozen=True)
class Program:
    """What to run as ``role`` (its key in run.json), ``copies`` times.

    ``stage`` orders the stop: lower ones first, the programs of a stage together; ``grace_s`` is the time that they
    have to finish what they hold. One that feeds the watchdog is killed when it was silent for ``hung_s``.
    """

    role: str
    arguments: tuple[str, ...]
    stage: int
    grace_s: float
    copies: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    inherits: tuple[int, ...] = ()
    hung_s: float | None = None


def programs_of(listening_fd: int, simulator_port: int | None, worker_processes: int, data_dir: Path) -> list[Program]:
    """Return the programs of the product in the order in which they start."""
    manage = (sys.executable, "manage.py")
    # each as lean as its work allows: what it needs of Django, Celery and of us, and no command line around it
    worker = (sys.executable, "-W", "ignore:You're running the worker", "-m", "worktool_ai.worker")
    # ``prepare`` has run Django's checks, which load every page of the admin: 10 MB in each process that shows none
    unchecked = {"CELERY_SKIP_CHECKS": "1"}
    schedule = str(data_dir / "beat-schedule")
    web = (sys.executable, "-m", "worktool_ai.supervisor.web", "--fd", str(listening_fd))
    programs = [
        Program("web", web, stage=0, grace_s=5, inherits=(listening_fd,), hung_s=HUNG_S),
        Program("consumer", (*manage, "consume_inbound"), stage=2, grace_s=4, hung_s=HUNG_S),
        Program(
            "worker",
            worker,
            stage=3,
            grace_s=8,
            copies=worker_processes,
            environment=unchecked,
            hung_s=WORKER_HUNG_S,
        ),
        Program(
            "beat",
            (sys.executable, "-m", "worktool_ai.beat", "--schedule", schedule),
            stage=2,
            grace_s=4,
            hung_s=HUNG_S,
        ),
        Program("relay", (sys.executable, "-m", "worktool_ai.events"), stage=3, grace_s=8, hung_s=HUNG_S),
    ]
    if simulator_port is not None:
        # without Django: it stands in for a foreign platform and is up before our own processes
        simulator = (sys.executable, "-m", "robots.simulator", "--port", str(simulator_port))
        programs.insert(1, Program("simulator", simulator, stage=1, grace_s=3))
    return programs


class Child:
    """One copy of a program: started, watched, started again."""

    def __init__(self, program: Program, number: int, environment: Mapping[str, str], log: Log) -> None:
        self.program = program
        self.name = f"{program.role}-{number}" if program.copies > 1 else program.role
        self.environment = {**environment, **program.environment, "PROCESS_NAME": self.name}
        self.log = log
        self.identity: Identity | None = None
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._pulse: Pulse | None = None
        self._started = 0.0
        self._deaths = 0
        self._due = 0.0

    def start(self, folder: Path) -> None:
        """Start it in a session of its own, so that the terminal's Ctrl-C reaches the supervisor alone."""
        pulse = Pulse() if self.program.hung_s else None
        watched = {WATCHDOG: str(pulse.handed)} if pulse else {}
        process = subprocess.Popen(
            self.program.arguments,
            cwd=folder,
            env={**self.environment, **watched},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=(*self.program.inherits, *([pulse.handed] if pulse else ())),
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        if pulse:
            pulse.release()
        self._process, self._pulse, self._started, self._due = process, pulse, time.monotonic(), 0.0
        self.identity = identify(process.pid)
        if process.stdout is not None:
            self._reader = threading.Thread(target=self._relay, args=(process.stdout,), daemon=True)
            self._reader.start()

    def _relay(self, stream: IO[str]) -> None:
        with suppress(ValueError), stream:  # closed under us while stopping
            for line in stream:
                self.log.relay(self.name, line)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def kill_if_hung(self) -> None:
        """Kill it when it has been silent for too long: stopped, or stuck. It is started again like any dead one."""
        if self._pulse is None or self.program.hung_s is None or self.pid is None:
            return
        silent = self._pulse.silent_s()
        if silent > self.program.hung_s:
            self.log.say(f"{self.name} has shown no sign of life for {silent:.1f} s: killed")
            self.signal(signal.SIGKILL)

    def notice_death(self) -> bool:
        """Tell, once, that it has ended; from then on :meth:`is_due` says when to start it again."""
        if self._process is None or self._process.poll() is None:
            return False
        lived = time.monotonic() - self._started
        self._deaths = 1 if lived >= SETTLED_S else self._deaths + 1
        delay = LADDER_S[min(self._deaths, len(LADDER_S)) - 1]
        self._due = time.monotonic() + delay
        self.log.say(f"{self.name} {_how(self._process.returncode)} after {lived:.1f} s; again in {delay} s")
        self._process, self.identity = None, None
        self._forget_pulse()
        return True

    def _forget_pulse(self) -> None:
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None

    def result(self, stopping: threading.Event) -> int | None:
        """Wait until it has ended by itself and return its status; None when ``stopping`` came first."""
        while self._process is not None and self._process.poll() is None:
            if stopping.wait(0.05):
                self.signal(signal.SIGTERM)
                self.wait(time.monotonic() + self.program.grace_s)
                return None
        self._drain()
        return self._process.returncode if self._process is not None else None

    def is_due(self) -> bool:
        return self._process is None and self._due <= time.monotonic()

    def signal(self, number: int) -> None:
        """Send a signal to it and to whatever it has started."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def wait(self, deadline: float) -> None:
        """Wait until it has ended, by force at ``deadline`` (monotonic seconds)."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.log.say(f"{self.name} did not stop in time: killed")
            self.signal(signal.SIGKILL)
            self._process.wait(5)
        self._drain()
        self._forget_pulse()

    def _drain(self) -> None:
        """Give its last lines the time to reach the log."""
        if self._reader is not None:
            self._reader.join(DRAIN_S)


def _how(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def stop_all(children: Sequence[Child], hastened: threading.Event) -> None:
    """Stop the children stage by stage; once ``hastened`` is set nobody is given time any more."""
    for stage in sorted({child.program.stage for child in children}):
        together = [child for child in children if child.program.stage == stage]
        for child in together:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + max(child.program.grace_s for child in together)
        while any(child.pid for child in together) and time.monotonic() < deadline and not hastened.is_set():
            time.sleep(0.02)
        for child in together:
            child.wait(time.monotonic())
