"""The supervisor: brings everything up, keeps it up, takes it down in order."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType
from urllib.parse import urlencode

from worktool_ai.supervisor.children import Child, Program, programs_of, stop_all
from worktool_ai.supervisor.embedded import EmbeddedServers
from worktool_ai.supervisor.environment import ADMIN_USER, ROOT, layout_of, process_environment
from worktool_ai.supervisor.launcher import Launcher
from worktool_ai.supervisor.layout import Credentials, Layout
from worktool_ai.supervisor.options import Options, listen, simulator_port
from worktool_ai.supervisor.output import Log, Tail
from worktool_ai.supervisor.processes import identify
from worktool_ai.supervisor.state import Addresses, Lock, stop_orphans, write_run, write_state

__all__ = ["PrepareError", "Supervisor", "Table"]

TICK_S = 0.1
READY_POLL_S = 0.3
#: Returns the programs for the listening socket's fd, the simulator's port (None: not ours to run) and the options.
Table = Callable[[int, int | None, Options, Layout], list[Program]]


class PrepareError(RuntimeError):
    """The database could not be brought up to date; the log says why."""


def product(fd: int, simulator: int | None, options: Options, layout: Layout) -> list[Program]:
    """Return the programs of the product."""
    return programs_of(fd, simulator, options.worker_processes, layout.data_dir)


class Supervisor:
    """One run on one data folder. ``table`` and ``prepare`` say what to run; tests bring small programs."""

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Log,
        *,
        table: Table = product,
        prepare: Sequence[str] = (sys.executable, "manage.py", "prepare"),
    ) -> None:
        self.options = Options.read(environment)
        self.layout = layout_of(environment)
        self.environment = dict(environment)
        self.log = log
        self.table = table
        self.prepare = tuple(prepare)
        self.servers = EmbeddedServers(self.layout, given=environment, say=log.say)
        self.children: list[Child] = []
        self.tails: list[Tail] = []
        self._lock = Lock(self.layout)
        self._launcher = Launcher()
        self._stopping = threading.Event()
        self._hastened = threading.Event()

    # -- life ----------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Serve until told to stop; returns 0 after an orderly stop.

        Raises :class:`OptionsError` or :class:`AlreadyRunningError` before anything was started, and
        :class:`ServerError` or :class:`PrepareError` after stopping again what was.
        """
        self.layout.make()
        self._lock.take()
        try:
            self.layout.run_file.unlink(missing_ok=True)
            self._catch_signals()
            stop_orphans(self.layout, self.log.say)
            self._adopt_new_key()
            self._serve()
        finally:
            self._lock.release()
        return 0

    def _adopt_new_key(self) -> None:
        """Encrypt with the key that ``rotate_keys --new-key`` has added: no process runs now that does not know it."""
        path = self.layout.secrets_file
        if path.exists() and (known := Credentials.load(path)).next_encryption_key:
            known.with_next_encryption_key().store(path)
            self.log.say("a new encryption key is in use from now on; run manage.py rotate_keys")

    def _catch_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        (self._hastened if self._stopping.is_set() else self._stopping).set()

    def _serve(self) -> None:
        started = time.monotonic()
        listening = listen(self.options)
        try:
            simulator = None if self.options.worktool_base_url else simulator_port(self.options)
            self._start_servers()
            self._define(listening, simulator)
            self._run_prepare()
            if not self._stopping.is_set():
                self._start_children(started)
            self._watch()
        finally:
            listening.close()
            self._stop()

    def _start_servers(self) -> None:
        self.log.say(f"data in {self.layout.data_dir}")
        self.stores = self.servers.start()
        self.tails = [Tail(server.name, server.log_file, self.log) for server in self.servers.servers]

    def _define(self, listening: socket.socket, simulator: int | None) -> None:
        """Work out addresses and environment, and write run.json before anybody can be reached."""
        port = listening.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        simulator_url = f"http://127.0.0.1:{simulator}" if simulator else None
        ours = {"PORT": str(port), "PUBLIC_URL": self.options.public_url or url}
        if simulator_url:
            ours |= {"SIMULATOR_PORT": str(simulator), "WORKTOOL_BASE_URL": simulator_url}
            ours["SIMULATOR_ROBOTS"] = self.environment.get("SIMULATOR_ROBOTS") or self._demo_robot(url)
        self.public = {name: value for name, value in ours.items() if name.endswith("_URL")}
        self.child_environment = process_environment(
            self.layout, self.servers.credentials, self.environment, {**self.stores, **ours}
        )
        self.addresses = Addresses(
            url,
            simulator_url,
            self.child_environment["DATABASE_URL"],
            self.child_environment["REDIS_URL"],
        )
        self.children = [
            Child(program, number, self.child_environment, self.log)
            for program in self.table(listening.fileno(), simulator, self.options, self.layout)
            for number in range(1, program.copies + 1)
        ]

    def _demo_robot(self, url: str) -> str:
        """Return what connects the demo robot's phone to our door: ``robotId=address``."""
        robot_id, key = self.servers.credentials.robot_id, self.servers.credentials.callback_key
        query = urlencode({"robotId": robot_id, "key": key})
        return f"{robot_id}={url}/api/worktool/callback/{{event}}?{query}"

    def _run_prepare(self) -> None:
        """Migrate and seed in one short-lived process; gives up early when told to stop."""
        if not self.prepare:
            return
        self.log.say("preparing the database")
        preparing = Child(Program("prepare", self.prepare, 0, 5), 1, self.child_environment, self.log)
        preparing.start(ROOT)
        status = preparing.result(self._stopping)
        if status not in (0, None):
            raise PrepareError("The database could not be prepared; the lines above say why.")

    def _start_children(self, started: float) -> None:
        self._write()
        for child in self.children:
            child.start(ROOT)
        self._write()
        self._announce()
        threading.Thread(target=self._say_when_ready, args=(started,), daemon=True).start()

    def _announce(self) -> None:
        credentials = self.servers.credentials
        self.log.say(f"site       {self.addresses.url}/")
        if self.addresses.simulator_url:
            self.log.say(f"simulator  {self.addresses.simulator_url}/")
        self.log.say(f"login      {ADMIN_USER} / {credentials.admin_password} (the first one; kept in run.json)")

    def _say_when_ready(self, started: float) -> None:
        host, port = self.addresses.url.removeprefix("http://").split(":")
        while not self._stopping.wait(READY_POLL_S):
            connection = http.client.HTTPConnection(host, int(port), timeout=5)
            with suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/readyz")
                if connection.getresponse().status == http.client.OK:
                    self.log.say(f"ready after {time.monotonic() - started:.1f} s; Ctrl-C stops everything")
                    return
            connection.close()

    # -- watching ------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stopping.wait(TICK_S):
            if self._tend():
                self._write()
            for tail in self.tails:
                tail.poll()
            if self._launcher.wants_stop():
                self._stopping.set()

    def _tend(self) -> bool:
        """Start again what has died, and kill what hangs, so that it is; tells whether anything changed."""
        changed = False
        for child in self.children:
            child.kill_if_hung()
            changed |= child.notice_death()
            if child.is_due():
                child.start(ROOT)
                changed = True
        return bool(self.servers.revive()) or changed

    def _write(self) -> None:
        """Bring run.json and supervisor.json up to date."""
        processes = self.servers.pids()
        for child in self.children:
            processes.setdefault(child.program.role, []).extend([child.pid] if child.pid else [])
        write_run(self.layout, self.servers.credentials, self.addresses, os.getpid(), processes)
        self._remember([child for child in self.children if child.pid])

    def _remember(self, children: Sequence[Child]) -> None:
        me = identify(os.getpid())
        if me is not None:
            write_state(self.layout, me, [c.identity for c in children if c.identity], self.public)

    def _stop(self) -> None:
        self.log.say("stopping (Ctrl-C again to hasten)")
        stop_all(self.children, self._hastened)
        self.servers.stop()
        for tail in self.tails:
            tail.poll()
        self.layout.run_file.unlink(missing_ok=True)
        self.log.say("stopped")
