"""The whole product in processes of its own, as ``make run`` starts it, seen from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import urllib3
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from robots.simulator.records import Json
from robots.simulator.testing import SimulatorClient
from tests.polling import eventually
from worktool_ai.supervisor.clean import clean_data
from worktool_ai.supervisor.environment import ROOT
from worktool_ai.supervisor.output import Log
from worktool_ai.supervisor.processes import Identity, identify, is_alive
from worktool_ai.supervisor.server import free_port

__all__ = ["ANSWER_S", "READY_S", "SETTINGS", "Stack", "running_stack"]

#: What a test process sets for itself must not reach the product under test.
LEFT_OUT = (
    "ADMIN_PASSWORD", "ADMIN_USER", "DATABASE_URL", "DATA_DIR", "DJANGO_SETTINGS_MODULE", "ENCRYPTION_KEYS",
    "ENVIRONMENT", "FAILPOINTS", "LOG_FORMAT", "PUBLIC_URL", "REDIS_BROKER_URL", "REDIS_URL", "SECRET_KEY",
    "SIMULATOR_TOKEN", "WORKTOOL_BASE_URL",
)  # fmt: skip
#: Hundreds of lines in a minute: neither our limit nor the platform's is what these tests look at.
SETTINGS = {"WORKTOOL_REQUEST_LIMIT": "100000", "SIMULATOR_REQUEST_LIMIT": "100000", "SIMULATOR_PACE_S": "0.02"}
READY_S = 120.0
#: Twice what is promised, for a machine that is busy with other tests.
STOP_S = 60.0
#: Bound for an ordinary answer. The promise is 5 s; a machine that also runs other tests gets more.
ANSWER_S = 15.0
#: Caches follow a change within this time (ARCHITECTURE.md), armed failpoints within the other.
FOLLOW_S = 2.0
ARM_S = 0.2


class Stack:
    """A running product. What it did is read from the simulator's ledger and transcript, and from its database."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, environment: Mapping[str, str]) -> None:
        self.process = process
        self.folder = folder
        self.environment = dict(environment)
        self.log_path = folder / "run.log"
        self.failpoint_file = Path(environment["FAILPOINT_FILE"])

    def connect(self) -> None:
        """Wait until it is ready, and connect to what it runs."""
        eventually(self._is_ready, READY_S, "ready")
        run = self.run_file()
        self.url: str = run["url"]
        self.robot_id: str = run["robot_id"]
        self.simulator = SimulatorClient(run["simulator_url"], run["simulator_token"])
        self._database = psycopg.connect(run["database_url"], autocommit=True, row_factory=dict_row)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"it ended with status {self.process.returncode}:\n{self.log()}"
        try:
            return urllib3.request("GET", f"{self.run_file()['url']}/readyz", retries=False, timeout=5).status == 200
        except (OSError, urllib3.exceptions.HTTPError):
            return False

    def run_file(self) -> dict[str, Any]:
        run: dict[str, Any] = json.loads((self.folder / "data" / "run.json").read_text(encoding="utf-8"))
        return run

    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    # -- its processes -------------------------------------------------------------------------------------------------

    def pids(self, role: str) -> list[int]:
        pids: list[int] = self.run_file()["processes"][role]
        return pids

    def signal(self, role: str, number: int) -> list[int]:
        """Send a signal to every process of a role; returns their pids."""
        pids = self.pids(role)
        for pid in pids:
            os.kill(pid, number)
        return pids

    def kill_workers(self) -> None:
        """SIGKILL every worker at once, and wait until the supervisor has started others."""
        killed = set(self.signal("worker", signal.SIGKILL))
        eventually(lambda: len(set(self.pids("worker")) - killed) == len(killed), 30, "new workers")

    def arm(self, failpoints: str) -> None:
        """Replace the armed failpoints in all its processes; they look ten times a second."""
        self.failpoint_file.write_text(failpoints, encoding="utf-8")
        time.sleep(ARM_S)

    # -- what was said -------------------------------------------------------------------------------------------------

    def say(self, text: str, room: str | None = "客服群", sender: str = "张三", **more: Any) -> Json:
        """Say a line at the platform; returns what ``/sim/say`` tells. ``room`` None is a private chat."""
        said = self.simulator.say(self.robot_id, sender, text, room, **more)
        assert said["delivered"], said
        return said

    def answer(self, chat: str, said: Json, seconds: float = ANSWER_S) -> Json:
        """Wait for the robot's next line in a chat."""
        return self.simulator.wait_for_answer(chat, said["id"], seconds)

    def robot_lines(self, chat: str, since: int = 0) -> list[Json]:
        return [line for line in self.simulator.transcript(chat, since) if line["from"] == "robot"]

    def sends(self, chat: str) -> list[Json]:
        """Return the ledger's sends to a chat, accepted or not, oldest first."""
        return [
            entry
            for entry in self.simulator.ledger()
            if any(chat in (command.get("titleList") or ()) for command in entry["commands"])
        ]

    # -- its database --------------------------------------------------------------------------------------------------

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return self._database.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> dict[str, Any]:
        """Return the only row."""
        (found,) = self.rows(statement, *values)
        return found

    def change(self, statement: str, *values: Any) -> int:
        """Change settings as an operator would in the admin; returns the number of rows."""
        return self._database.execute(statement, values).rowcount

    def line(self, room: str, text: str) -> dict[str, Any]:
        """Return the stored line of a customer that is no duplicate, once it is settled."""
        statement = """
            SELECT message.* FROM robots_message AS message JOIN robots_room AS room ON room.id = message.room_id
             WHERE room.address = %s AND message.text = %s AND message.direction = 'in'
               AND message.reason NOT IN ('', 'duplicate')"""
        return eventually(lambda: self.rows(statement, room, text), what=f"{text} settled")[0]

    def run_of(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Return the run of a line once it has ended."""
        statement = "SELECT * FROM flows_run WHERE message_id = %s AND ended_at IS NOT NULL"
        return eventually(lambda: self.rows(statement, line["id"]), what="run ended")[0]

    def commands(self, run: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM robots_command WHERE run_id = %s ORDER BY seq", run["id"])

    @contextmanager
    def model(self, base_url: str) -> Iterator[None]:
        """Have every persona ask the OpenAI-compatible model at ``base_url`` for the length of the block."""
        columns = "id, name, provider, model_id, model_type, is_active, api_endpoint, api_key_encrypted, capabilities"
        capabilities = ["intent_recognition", "service_reply", "conversion", "chat", "image_analysis"]
        model_id = uuid.uuid4()
        self.change(
            f"INSERT INTO personas_aimodel ({columns}, config, note, created_at, updated_at)"
            " VALUES (%s, %s, 'custom', 'stub', 'chat', true, %s, '', %s, %s, '', now(), now())",
            model_id, f"stand-in {model_id}", base_url, capabilities, Jsonb({"allow_private": True}),
        )  # fmt: skip
        self.change("UPDATE personas_persona SET model_id = %s", model_id)
        self.follow()
        yield
        self.change("UPDATE personas_persona SET model_id = NULL")
        self.follow()

    def follow(self) -> None:
        """Wait until every process has followed a change of settings: none of them can be asked, they promise 2 s."""
        time.sleep(FOLLOW_S)

    # -- its commands --------------------------------------------------------------------------------------------------

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py`` beside it, on its data folder; returns what was printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # -- the end -------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Stop it as ``kill`` does: in order, with status 0, leaving no process."""
        processes = self._identities()
        self.simulator.close()
        self._database.close()
        self.process.terminate()
        assert self.process.wait(STOP_S) == 0, self.log()[-4000:]
        assert not [process for process in processes if is_alive(process)]

    def _identities(self) -> list[Identity]:
        pids = [pid for pids in self.run_file()["processes"].values() for pid in pids]
        return [found for pid in pids if (found := identify(pid))]


@contextmanager
def running_stack(folder: Path, **settings: str) -> Iterator[Stack]:
    """Run the product on a data folder of its own, on free ports, for the length of the block."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in LEFT_OUT},
        **SETTINGS,
        "DATA_DIR": str(folder / "data"),
        "PORT": str(free_port()),
        "SIMULATOR_PORT": str(free_port()),
        "FAILPOINT_FILE": str(folder / "failpoints"),
        **settings,
    }
    with (folder / "run.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "worktool_ai.supervisor", "run"],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    stack = Stack(process, folder, environment)
    try:
        stack.connect()
        yield stack
        stack.stop()
    finally:
        clean_data({"DATA_DIR": environment["DATA_DIR"]}, Log(StringIO()))
        process.wait(STOP_S)
