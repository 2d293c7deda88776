"""The product under its own supervisor, with a platform and a model beside it that nobody kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import IO, Any

import psycopg
import urllib3
from psycopg.rows import dict_row

from robots.simulator.testing import SimulatorClient
from tests.e2e.stack import LEFT_OUT, READY_S, Stack
from tests.measure.lines import use_model
from tests.polling import eventually
from worktool_ai.supervisor.clean import clean_data
from worktool_ai.supervisor.environment import ROOT
from worktool_ai.supervisor.layout import Credentials, Layout
from worktool_ai.supervisor.output import Log
from worktool_ai.supervisor.processes import Identity, identify, kill_all
from worktool_ai.supervisor.server import die_with_parent, free_port

__all__ = ["PACE_S", "ChaosStack", "CouldNotRun", "running_chaos_stack"]

#: A phone that is quick, yet not too quick for a kill to find a command on it.
PACE_S = 0.02
LIMIT = "1000000"
TOKEN = "chaos"
STOP_S = 60.0
COMMAND_S = 60.0
#: After the drain nothing is under way for longer.
GRACE_S = "5"


class CouldNotRun(RuntimeError):
    """The run says nothing about the product; the message says why."""


class ChaosStack(Stack):
    """A running product whose platform outlives it. ``connect`` as in :class:`Stack`, ``start`` again after a kill."""

    def __init__(self, folder: Path, environment: dict[str, str], simulator: SimulatorClient) -> None:
        self.log_file = (folder / "run.log").open("ab")
        super().__init__(_supervisor(environment, self.log_file), folder, environment)
        self.platform = simulator

    def start(self) -> None:
        """Start the supervisor again on the same data and port."""
        self.process.wait(STOP_S)
        self.process = _supervisor(self.environment, self.log_file)

    def connect(self) -> None:
        """Wait until it is ready; the platform is the one that was started beside it."""
        eventually(self._is_ready, READY_S, "ready")
        run = self.run_file()
        self.url, self.robot_id, self.simulator = run["url"], run["robot_id"], self.platform

    def check_lives(self) -> None:
        """Raise :class:`CouldNotRun` when the supervisor has ended though nobody killed it."""
        if self.process.poll() is not None:
            raise CouldNotRun(f"the supervisor ended by itself with status {self.process.returncode}")

    def use_model(self, base_url: str) -> None:
        """Have every persona ask this model for good."""
        with psycopg.connect(self.run_file()["database_url"], autocommit=True) as connection:
            use_model(connection, base_url, "stub")
        self.follow()

    def identities(self, role: str) -> list[Identity]:
        """Return the live processes of a role; of PostgreSQL all its backends too. Empty while there is no run.json."""
        try:
            pids = self.pids(role)
        except (OSError, ValueError):
            return []
        whole = [pid for parent in pids for pid in (parent, *_children(parent))] if role == "postgres" else pids
        return [found for pid in whole if (found := identify(pid))]

    def everybody(self) -> list[Identity]:
        """Return the supervisor first, then all others."""
        roles = self.run_file()["processes"]
        supervisor = identify(self.process.pid)
        others = [identity for role in roles for identity in self.identities(role)]
        return [*([supervisor] if supervisor else []), *others]

    def query(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Read with a connection of its own: none outlives the kills."""
        with psycopg.connect(self.run_file()["database_url"], row_factory=dict_row, connect_timeout=5) as connection:
            return connection.execute(statement, values).fetchall()

    def inconsistencies(self) -> int:
        """Run ``manage.py check_consistency``; :class:`CouldNotRun` when it is missing or says nothing."""
        done = subprocess.run(
            [sys.executable, "manage.py", "check_consistency", "--grace", GRACE_S],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=COMMAND_S, check=False,
        )  # fmt: skip
        self.consistency_output = done.stdout.strip()
        try:
            return int(json.loads(self.consistency_output.rpartition("\n")[2])["inconsistencies"])
        except (ValueError, KeyError, TypeError):
            said = (done.stderr or done.stdout).strip().splitlines()
            raise CouldNotRun(f"check_consistency: {said[-1] if said else f'status {done.returncode}'}") from None

    def end(self) -> None:
        """Stop it in order and remove its data."""
        clean_data({"DATA_DIR": self.environment["DATA_DIR"]}, Log(StringIO()))
        if self.process.poll() is None:
            kill_all([found] if (found := identify(self.process.pid)) else [], first=signal.SIGTERM, grace=STOP_S)
        self.process.wait(STOP_S)
        self.log_file.close()


def _supervisor(environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    # a session of its own: Ctrl-C reaches us alone, and we stop it in order
    return _spawn(["-m", "worktool_ai.supervisor", "run"], environment, log)


def _spawn(arguments: Sequence[str], environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


@contextmanager
def running_chaos_stack(
    folder: Path, pace_s: float = PACE_S, our_limit: str = LIMIT, platform_limit: str = LIMIT
) -> Iterator[ChaosStack]:
    """Run platform, model and product for the length of the block, personas on the model.

    ``pace_s`` is what the phone takes for a command; limits are requests a minute. Data and processes are gone
    afterwards; ``folder`` keeps the logs.
    """
    simulator_port, stub_port, web_port = (free_port() for _ in range(3))
    outside = {name: value for name, value in os.environ.items() if name not in (*LEFT_OUT, "MAKEFLAGS", "MAKELEVEL")}
    environment = {
        **outside,
        "DATA_DIR": str(folder / "data"),
        "PORT": str(web_port),
        "FAILPOINT_FILE": str(folder / "failpoints"),
        "WORKTOOL_BASE_URL": f"http://127.0.0.1:{simulator_port}",
        "WORKTOOL_REQUEST_LIMIT": our_limit,
    }
    layout = Layout(folder / "data")
    layout.make()
    robot = _robot(Credentials.load(layout.secrets_file), web_port)
    simulator = ["-m", "robots.simulator", "--port", str(simulator_port), "--token", TOKEN, "--pace", str(pace_s)]
    simulator += ["--limit", platform_limit, "--robot", robot]
    with (
        _beside(simulator, folder / "simulator.log", f"http://127.0.0.1:{simulator_port}/sim/health") as platform,
        _beside(
            ["manage.py", "model_stub", "--port", str(stub_port)],
            folder / "stub.log",
            f"http://127.0.0.1:{stub_port}/stub/health",
            ENVIRONMENT="test",
            SECRET_KEY="chaos",
            ENCRYPTION_KEYS="A" * 43 + "=",
            DATABASE_URL="postgres://nobody@127.0.0.1/none",
            REDIS_URL="redis://127.0.0.1/0",
        ) as model,
    ):
        client = SimulatorClient(platform, TOKEN)
        stack = ChaosStack(folder, environment, client)
        try:
            stack.connect()
            stack.use_model(f"{model}/v1")
            yield stack
        finally:
            client.close()
            stack.end()


def _robot(credentials: Credentials, port: int) -> str:
    query = f"robotId={credentials.robot_id}&key={credentials.callback_key}"
    return f"{credentials.robot_id}=http://127.0.0.1:{port}/api/worktool/callback/{{event}}?{query}"


@contextmanager
def _beside(arguments: Sequence[str], log_path: Path, health: str, **settings: str) -> Iterator[str]:
    """Run a stand-in for the length of the block; yields its address."""
    outside = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    with log_path.open("wb") as log:
        process = _spawn(arguments, {**outside, **settings}, log)
        try:
            eventually(lambda: _answers(process, health, log_path), READY_S, arguments[1])
            yield health.rsplit("/", 2)[0]
        finally:
            process.terminate()
            process.wait(STOP_S)


def _answers(process: subprocess.Popen[bytes], url: str, log_path: Path) -> bool:
    if process.poll() is not None:
        raise CouldNotRun(f"it ended at once: {log_path.read_text(encoding='utf-8', errors='replace')[-500:]}")
    try:
        return urllib3.request("GET", url, retries=False, timeout=2).status == 200
    except urllib3.exceptions.HTTPError:
        return False
