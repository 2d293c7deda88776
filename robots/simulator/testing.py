"""A running simulator for tests, with a small client of its control interface."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode

import urllib3

from robots.simulator.app import create_app
from robots.simulator.records import Json
from worktool_ai.lib.loopback import running

TOKEN: Final = "simulator-test-token"  # noqa: S105 - guards nothing but a test
POLL_S: Final = 0.02


class ControlError(AssertionError):
    """The control interface refused a request of the test."""


class SimulatorClient:
    """Talks to ``/sim`` of a simulator, started here or by a supervisor; ``url`` has no trailing slash."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self._pool = urllib3.PoolManager(retries=False, timeout=30, maxsize=8)

    def close(self) -> None:
        self._pool.clear()

    def control(self, method: str, path: str, body: Any = None, **fields: str | int) -> Json:
        """Call ``/sim/<path>``; raises :class:`ControlError` with the answer unless it is 200."""
        answer = self._pool.request(
            method,
            f"{self.url}/sim/{path}?{urlencode(fields)}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
        )
        if answer.status != 200:
            raise ControlError(f"{method} /sim/{path}: {answer.status} {answer.data.decode()}")
        result: Json = answer.json()
        return result

    def call(self, method: str, path: str, robot_id: str, body: Any = None, **fields: str | int) -> Json:
        """Call the platform itself, as our gateway does; returns its JSON whatever it says."""
        fields = {"robotId": robot_id, **fields}
        query = urlencode(fields)
        answer = self._pool.request(method, f"{self.url}{path}?{query}", json=body)
        result: Json = answer.json()
        return result

    def say(self, robot_id: str, sender: str, text: str, room: str | None = None, **more: Any) -> Json:
        """Say a line; ``more`` takes the other keys of ``/sim/say``, camelCase."""
        body = {"robotId": robot_id, "sender": sender, "text": text, **more}
        if room is not None:
            body["room"] = room
        return self.control("POST", "say", body)

    def transcript(self, room: str, since: int = 0) -> list[Json]:
        lines: list[Json] = self.control("GET", "transcript", room=room, since=since)["lines"]
        return lines

    def ledger(self, since: int = 0) -> list[Json]:
        entries: list[Json] = self.control("GET", "ledger", since=since)["entries"]
        return entries

    def sends(self, since: int = 0) -> list[Json]:
        """Return the ledger's accepted sends."""
        return [
            entry for entry in self.ledger(since) if entry["path"] == "/wework/sendRawMessage" and entry["messageId"]
        ]

    def dialect(self, **keys: Any) -> Json:
        """Set the dialect; keys that are left out get their default."""
        return self.control("PUT", "dialect", keys)

    def robot(self, robot_id: str, **keys: Any) -> Json:
        """Set what a robot's owner could have set at the platform, untested; returns what is set."""
        return self.control("PUT", "robot", {"robotId": robot_id, **keys})

    def faults(self, *faults: Json) -> Json:
        """Replace all faults; none clears them."""
        return self.control("POST", "faults", {"faults": list(faults)})

    def wait_for(self, probe: Callable[[], Any], timeout_s: float = 30.0) -> Any:
        """Poll until ``probe`` returns something true, and return it; fails after ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while not (found := probe()):
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing within {timeout_s} s")
            time.sleep(POLL_S)
        return found

    def wait_for_answer(self, room: str, since: int = 0, timeout_s: float = 30.0) -> Json:
        """Wait for the first line that the robot writes into a chat after line ``since``."""

        def answer() -> Json | None:
            lines = self.transcript(room, since)
            return next((line for line in lines if line["from"] == "robot"), None)

        line: Json = self.wait_for(answer, timeout_s)
        return line


@contextmanager
def running_simulator(
    *,
    token: str = TOKEN,
    pace_s: float = 0.0,
    limit: int = 100_000,
    window_s: float = 60.0,
    robots: dict[str, str] | None = None,
) -> Iterator[SimulatorClient]:
    """Run a fresh simulator in a thread, on a free port, for the length of the block.

    Faster and with a wider limit than the real platform unless told otherwise; options as of
    :func:`robots.simulator.app.create_app`.
    """
    app = create_app(token=token, pace_s=pace_s, limit=limit, window_s=window_s, robots=robots)
    with running(app) as url:
        client = SimulatorClient(url, token)
        try:
            yield client
        finally:
            client.close()
