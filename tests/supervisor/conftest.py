"""A supervisor process with small programs, on a data folder of its own."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.polling import eventually
from worktool_ai.supervisor.clean import clean_data
from worktool_ai.supervisor.environment import ROOT
from worktool_ai.supervisor.output import Log
from worktool_ai.supervisor.processes import command_line
from worktool_ai.supervisor.server import free_port

LEFT_OUT = ("DATABASE_URL", "REDIS_URL", "REDIS_BROKER_URL", "ENVIRONMENT", "SECRET_KEY", "ENCRYPTION_KEYS")


class LightRun:
    """Runs of the light supervisor on one DATA_DIR."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = free_port()
        outside = {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
        self.environment = {**outside, "DATA_DIR": str(data_dir), "PORT": str(self.port)}
        self.process: subprocess.Popen[str] | None = None

    def spawn(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        self.close()
        environment = {key: value for key, value in {**self.environment, **settings}.items() if value}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.supervisor.light", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self.process

    def start(self, *arguments: str, **settings: str) -> dict[str, Any]:
        """Start it and wait until run.json names a process for every role."""
        process = self.spawn(*arguments, **settings)

        def complete() -> dict[str, Any] | None:
            assert process.poll() is None, process.communicate()[0]
            run = self.run_file()
            if not run or run["supervisor"] != process.pid:  # none yet, or left by a killed run
                return None
            return run if run["processes"]["web"] and run["processes"]["worker"] else None

        run: dict[str, Any] = eventually(complete)
        return run

    def run_file(self) -> dict[str, Any] | None:
        path = self.data_dir / "run.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def get(self) -> str:
        """Ask the site for its pid, once, without any retry."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def end(self, number: int = signal.SIGINT) -> str:
        """Send a signal and return everything that was printed; the exit status is in ``process.returncode``."""
        assert self.process is not None
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=40)
        return output

    def close(self) -> None:
        """End whatever still runs and close its pipe."""
        if self.process is None or self.process.stdout is None or self.process.stdout.closed:
            return
        self.process.terminate()
        self.process.communicate(timeout=40)


def running(run: dict[str, Any]) -> list[int]:
    """Return those pids of a run.json that still run."""
    pids = [pid for pids in run["processes"].values() for pid in pids]
    return [pid for pid in pids if command_line(pid)]


@pytest.fixture
def light(tmp_path: Path) -> Iterator[LightRun]:
    light = LightRun(tmp_path / "data")
    yield light
    light.close()
    clean_data({"DATA_DIR": str(light.data_dir)}, Log(io.StringIO()))
