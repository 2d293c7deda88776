"""The product under its supervisor, on a data folder and ports of its own, with one worker process and a model stub."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.error import URLError
from urllib.request import urlopen

from worktool_ai.supervisor.environment import ROOT
from worktool_ai.supervisor.server import free_port

__all__ = ["Stack", "running_stack", "running_stub", "wait_for"]

START_S = 120.0
#: No limit of the platform may be what is measured.
UNLIMITED = {"WORKTOOL_REQUEST_LIMIT": "1000000", "SIMULATOR_REQUEST_LIMIT": "1000000", "SIMULATOR_PACE_S": "0"}
#: The caller's own stores and settings must not be measured by accident.
LEFT_OUT = (
    "DATABASE_URL", "REDIS_URL", "REDIS_BROKER_URL", "ENVIRONMENT", "SECRET_KEY", "ENCRYPTION_KEYS", "PORT",
    "SIMULATOR_PORT", "WORKTOOL_BASE_URL", "PUBLIC_URL", "FAILPOINTS", "FAILPOINT_FILE",
)  # fmt: skip

T = TypeVar("T")


def wait_for(what: str, condition: Callable[[], T], seconds: float = START_S) -> T:
    """Poll until the condition is true and return its value; ``TimeoutError`` names ``what``."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.25)


class Stack:
    """The running product, by its run.json."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    @property
    def run(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.data_dir / "run.json").read_text(encoding="utf-8"))
        return document

    def pid(self, role: str) -> int:
        """Return the pid of a role's first process."""
        return int(self.run["processes"][role][0])

    def door(self, event: str = "message") -> str:
        """Return the path and query of a callback of the demo robot."""
        run = self.run
        return f"/api/worktool/callback/{event}?robotId={run['robot_id']}&key={run['callback_key']}"

    def is_ready(self) -> bool:
        with suppress(URLError, OSError), urlopen(f"{self.run['url']}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
        return False

    def new_worker(self) -> None:
        """Stop the worker in order; the supervisor starts a fresh one, without connections and imports."""
        old = self.pid("worker")
        os.kill(old, signal.SIGTERM)
        wait_for("a new worker", lambda: [pid for pid in self.run["processes"]["worker"] if pid != old])
        wait_for("/readyz", self.is_ready)


@contextmanager
def running_stack(folder: Path, **settings: str) -> Iterator[Stack]:
    """Run the product with data in ``folder``; its output goes to ``folder/run.log``. Removes its data afterwards."""
    outside = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    data_dir = folder / "data"
    environment = {**outside, **UNLIMITED, "DATA_DIR": str(data_dir), "WORKER_PROCESSES": "1", **settings}
    with (folder / "run.log").open("w") as log:
        process = _start(["-m", "tests.measure.supervisor", "run"], environment, log)
        try:
            stack = Stack(data_dir)
            wait_for("run.json", lambda: (data_dir / "run.json").exists() or _ended(process, log))
            wait_for("/readyz", stack.is_ready)
            yield stack
        finally:
            _stop(process)
            _start(["-m", "tests.measure.supervisor", "clean-data"], environment, log).wait(60)


@contextmanager
def running_stub(folder: Path, certificate: Path | None = None) -> Iterator[str]:
    """Run the model stub as its own process, plain or with TLS; yields its address."""
    port = free_port()
    arguments = ["-m", "uvicorn", "--factory", "personas.model_stub.app:create_app", "--http", "httptools"]
    arguments += ["--port", str(port), "--backlog", "2048", "--timeout-keep-alive", "75"]
    arguments += ["--no-access-log", "--log-level", "warning"]
    arguments += ["--ssl-certfile", str(certificate), "--ssl-keyfile", str(certificate)] if certificate else []
    scheme = "https" if certificate else "http"
    with (folder / "stub.log").open("a") as log:
        process = _start(arguments, dict(os.environ), log)
        try:
            yield f"{scheme}://localhost:{port}"
        finally:
            _stop(process)


def _start(arguments: list[str], environment: dict[str, str], log: IO[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _ended(process: subprocess.Popen[bytes], log: IO[str]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the product did not start: see {log.name}")
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
