"""What a supervisor leaves on disk: run.json for people and scripts, supervisor.json for the next start."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import IO, Any

from worktool_ai.supervisor.environment import ADMIN_USER
from worktool_ai.supervisor.layout import Credentials, Layout, write_private
from worktool_ai.supervisor.processes import Identity, is_alive, kill_all

__all__ = [
    "Addresses",
    "AlreadyRunningError",
    "Lock",
    "read_state",
    "stop_orphans",
    "write_run",
    "write_state",
]

ROLES = ("web", "consumer", "worker", "beat", "relay", "postgres", "redis", "simulator")
VERSION = 1
ORPHAN_GRACE_S = 5.0


class AlreadyRunningError(RuntimeError):
    """Another supervisor serves this data folder; the message is one line that names it."""


@dataclass(frozen=True)
class Addresses:
    """Where the running product is reached."""

    url: str
    simulator_url: str | None
    database_url: str
    redis_url: str


class Lock:
    """At most one supervisor per data folder. The kernel drops it even when the supervisor is killed."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Take it, or raise :class:`AlreadyRunningError`."""
        self._file = (self.layout.data_dir / "supervisor.lock").open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            other = read_state(self.layout).supervisor
            known = f" (pid {other.pid})" if other else ""
            raise AlreadyRunningError(
                f"WorkTool AI already runs on DATA_DIR={self.layout.data_dir}{known}: stop it, or set DATA_DIR."
            ) from None

    def release(self) -> None:
        """Drop it; nothing happens when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(frozen=True)
class State:
    """The last supervisor of a data folder and the children that it had."""

    supervisor: Identity | None
    children: list[Identity]


def read_state(layout: Layout) -> State:
    """Return what the last supervisor wrote; empty when there was none."""
    try:
        stored = json.loads(layout.supervisor_file.read_text(encoding="utf-8"))
        return State(Identity(**stored["supervisor"]), [Identity(**child) for child in stored["children"]])
    except (OSError, ValueError, KeyError, TypeError):
        return State(None, [])


def write_state(
    layout: Layout, supervisor: Identity, children: Iterable[Identity], addresses: Mapping[str, str]
) -> None:
    """Remember who runs, so that the next start finds orphans of a killed supervisor and spares everybody else."""
    state = {
        "supervisor": asdict(supervisor),
        "children": [asdict(child) for child in children],
        "addresses": dict(addresses),
    }
    write_private(layout.supervisor_file, json.dumps(state, indent=1))


def stop_orphans(layout: Layout, say: Callable[[str], None]) -> None:
    """Stop what a supervisor that was killed has left running (its servers are taken over, not stopped)."""
    orphans = [child for child in read_state(layout).children if is_alive(child)]
    if orphans:
        say(f"stopping {len(orphans)} processes that an earlier run left behind")
        kill_all(orphans, grace=ORPHAN_GRACE_S, group=True)


def write_run(
    layout: Layout,
    credentials: Credentials,
    addresses: Addresses,
    supervisor: int,
    processes: Mapping[str, list[int]],
) -> None:
    """Write run.json, the one file that scripts read to find and drive a running product."""
    document: dict[str, Any] = {
        "version": VERSION,
        "url": addresses.url,
        "admin_user": ADMIN_USER,
        "admin_password": credentials.admin_password,
        "simulator_url": addresses.simulator_url,
        "simulator_token": credentials.simulator_token,
        "robot_id": credentials.robot_id,
        "callback_key": credentials.callback_key,
        "database_url": addresses.database_url,
        "redis_url": addresses.redis_url,
        "server_dir": str(layout.server_dir),
        "supervisor": supervisor,
        "processes": {role: processes.get(role, []) for role in ROLES},
    }
    write_private(layout.run_file, json.dumps(document, indent=1, ensure_ascii=False))
