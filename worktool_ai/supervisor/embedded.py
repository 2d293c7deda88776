"""The embedded servers of one data folder: PostgreSQL, a durable Valkey and a forgetful one.

They belong to the data folder, not to a process: the first who needs them starts them, later ones attach, and the
last one who leaves stops them. Who still uses them is known by shared file locks, which the kernel drops even when a
process is killed.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from worktool_ai.supervisor.binaries import copied, find_postgres, find_valkey, is_open
from worktool_ai.supervisor.layout import Credentials, Layout, server_account, write_private
from worktool_ai.supervisor.postgres import Postgres
from worktool_ai.supervisor.server import Server, ServerError, free_port
from worktool_ai.supervisor.valkey import Valkey

__all__ = ["EmbeddedServers"]

START_SECONDS = 60.0
ATTEMPTS = 5
REVIVE_PAUSE_S = 0.9


def _ignore(line: str) -> None:
    """Say nothing."""


class EmbeddedServers:
    """Start, attach to, watch and stop the servers of one :class:`Layout`.

    A store that the caller has (DATABASE_URL, REDIS_URL in ``given``) is not started. ``fsync=False`` trades safety
    for speed and ``mortal=True`` lets them die with this process: both for tests.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        fsync: bool = True,
        mortal: bool = False,
        given: Mapping[str, str] | None = None,
        say: Callable[[str], None] = _ignore,
    ) -> None:
        self.layout = layout
        self.given = given or {}
        self.fsync = fsync
        self.mortal = mortal
        self.say = say
        self._use: IO[str] | None = None

    # -- life --------------------------------------------------------------------------------------------------

    def start(self) -> dict[str, str]:
        """Attach to the servers or start them; returns the environment that names them."""
        self.layout.make()
        if orphan := self.layout.set_aside_orphan():
            self.say(f"the servers of a deleted data folder lie in {orphan} now")
        self.layout.make_server_dir()
        self._use = (self.layout.data_dir / "servers.users").open("a")
        fcntl.flock(self._use, fcntl.LOCK_SH)
        self.credentials = Credentials.load(self.layout.secrets_file)
        self._define()
        self.ensure()
        return self.environment()

    def _define(self) -> None:
        account, folder = server_account(), self.layout.server_dir
        postgres, valkey = find_postgres(), find_valkey()
        if account is not None and not is_open(postgres.program("postgres")):
            postgres = postgres.copied_to(folder / f"postgres-programs-{postgres.version}")
        if account is not None and not is_open(valkey):
            valkey = copied(valkey, folder)
        secret = self.credentials
        self.postgres = Postgres(
            postgres, folder, account, secret.database_password, fsync=self.fsync, mortal=self.mortal
        )
        self.durable = Valkey(
            "redis", valkey, folder, account, secret.redis_password, durable=self.fsync, mortal=self.mortal
        )
        self.broker = Valkey(
            "redis-broker", valkey, folder, account, secret.broker_password, durable=False, mortal=self.mortal
        )

    @property
    def servers(self) -> list[Server]:
        """Those that are ours to run, in the order in which they stop."""
        valkeys: list[Server] = [] if self.given.get("REDIS_URL") else [self.durable, self.broker]
        return valkeys if self.given.get("DATABASE_URL") else [*valkeys, self.postgres]

    def ensure(self) -> list[str]:
        """Start every server that does not run and wait until all are ready; returns the names of those started.

        All are started from the calling thread before the first is waited for: a mortal server is bound to the
        thread that started it, and their start-up times overlap.
        """
        with self._exclusive():
            self._take_ports()
            started = [server for server in self.servers if server.running() is None]
            for server in started:
                self._launch(server)
            for server in self.servers:
                self._wait(server)
            if self.postgres in started:
                self.postgres.make_database()
        return [server.name for server in started]

    def revive(self) -> list[str]:
        """Start every server that has died, on the port that its clients know; returns their names.

        Does not wait until they are ready, and starts the same one at most once a second.
        """
        due = time.monotonic() - REVIVE_PAUSE_S
        dead = [s for s in self.servers if s.running() is None and s.spawned_at < due]
        for server in dead:
            self._launch(server)
        return [server.name for server in dead]

    def _launch(self, server: Server) -> None:
        self.say(f"starting {server.name} on 127.0.0.1:{server.port}")
        server.prepare()
        server.spawn()

    def _wait(self, server: Server) -> None:
        """Wait for one server; a port that somebody took in between costs another attempt."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                server.wait_ready(START_SECONDS)
                return
            except ServerError:
                server.stop()
                if attempt == ATTEMPTS or "in use" not in server.log_tail():
                    raise
                server.port = free_port(taken=self._ports_of(server))
                self._remember()
                self._launch(server)

    def _ports_of(self, besides: Server) -> frozenset[int]:
        return frozenset(server.port for server in self.servers if server is not besides)

    def _take_ports(self) -> None:
        """Give each server its remembered port: always while it runs, else when it is still free."""
        known = self._remembered()
        for server in self.servers:
            if server.running() is not None:
                server.port = server.port or known.get(server.name, 0)
                if not server.port:  # it runs, but where is not known: begin again
                    server.stop()
        for server in self.servers:
            if server.running() is None:
                wanted = server.port or known.get(server.name)
                server.port = free_port(wanted=wanted, taken=self._ports_of(server))
        self._remember()

    def _remembered(self) -> dict[str, int]:
        try:
            ports: dict[str, int] = json.loads(self.layout.state_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return ports

    def _remember(self) -> None:
        ports = {server.name: server.port for server in self.servers}
        if ports != self._remembered():
            write_private(self.layout.state_file, json.dumps(ports))

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """One process at a time starts servers of this data folder."""
        with (self.layout.data_dir / "servers.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def leave(self) -> None:
        """Stop the servers if nobody else uses them."""
        if self._use is None:
            return
        try:
            fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            self.stop()
        self._use.close()
        self._use = None

    def stop(self) -> None:
        """Stop all servers, whoever uses them; Valkeys first, PostgreSQL last."""
        with self._exclusive():
            for server in self.servers:
                self.say(f"stopping {server.name}")
                server.stop()

    @classmethod
    def stop_left_over(cls, layout: Layout, say: Callable[[str], None] = _ignore) -> None:
        """Stop servers of a data folder that nobody watches any more, without starting any."""
        if not layout.secrets_file.exists() or not layout.server_dir.is_dir():
            return
        servers = cls(layout, say=say)
        servers.credentials = Credentials.load(layout.secrets_file)
        servers._define()
        servers.stop()

    # -- facts -------------------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        """Return the settings that name these servers."""
        ours = {}
        if self.postgres in self.servers:
            ours["DATABASE_URL"] = self.postgres.url
        if self.durable in self.servers:
            ours |= {"REDIS_URL": self.durable.url, "REDIS_BROKER_URL": self.broker.url}
        return ours

    def pids(self) -> dict[str, list[int]]:
        """Return the pids by the names of run.json."""
        found: dict[str, list[int]] = {"postgres": [], "redis": []}
        for server in self.servers:
            running = server.running()
            if running is not None:
                found["postgres" if server is self.postgres else "redis"].append(running.pid)
        return found
