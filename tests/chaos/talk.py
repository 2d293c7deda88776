"""Says the lines of a plan at the platform: each person one line after the other, all people at once."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from robots.simulator.testing import SimulatorClient
from tests.chaos.judge import Said
from tests.chaos.plan import Line

__all__ = ["Talk"]

RATES = (1.0, 40.0)
#: When nothing else is known, the lines that are left are said within so many seconds.
LAST_S = 10.0


@dataclass
class _Person:
    """A thread that says one person's lines in order."""

    say: Callable[[Line], None]
    lines: queue.SimpleQueue[Line | None] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while (line := self.lines.get()) is not None:
            self.say(line)


class Talk:
    """What was said so far, and who is still talking. ``error`` is what ended it, None as long as all is well."""

    def __init__(self, simulator: SimulatorClient, robot_id: str) -> None:
        self._simulator = simulator
        self._robot_id = robot_id
        self._people: dict[tuple[str, str], _Person] = {}
        self._said: list[Said] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.error: Exception | None = None

    def said(self) -> list[Said]:
        """Return the lines that were said, with whether the door took them."""
        with self._lock:
            return list(self._said)

    def begin(self, lines: Iterable[Line], expected_s: Callable[[], float]) -> threading.Thread:
        """Say the lines in the background, spread over the seconds that ``expected_s`` foresees at each moment."""
        thread = threading.Thread(target=self._run, args=(list(lines), expected_s), daemon=True)
        thread.start()
        return thread

    def _run(self, lines: list[Line], expected_s: Callable[[], float]) -> None:
        for number, line in enumerate(lines):
            rate = min(max((len(lines) - number) / max(expected_s(), LAST_S), RATES[0]), RATES[1])
            if self._stopped.wait(line.weight / rate):
                return
            self.hand_over(line)

    def hand_over(self, line: Line) -> None:
        """Have a person say a line after those that this person has still to say."""
        key = (line.chat, line.sender)
        with self._lock:
            if key not in self._people:
                self._people[key] = _Person(self._say)
            person = self._people[key]
        person.lines.put(line)

    def _say(self, line: Line) -> None:
        at = time.time()
        more: dict[str, Any] = {"atMe": line.at_me} if line.room else {}
        try:
            told = self._simulator.say(self._robot_id, line.sender, line.text, line.room, **more)
        except Exception as error:  # the platform is never killed: without it there is nothing to judge
            self.error = error
            return
        said = Said(line.marker, line.chat, line.sender, at, bool(told["delivered"]), line.kinds)
        with self._lock:
            self._said.append(said)

    def finish(self) -> None:
        """Wait until everybody has said what was handed over."""
        with self._lock:
            people = list(self._people.values())
        for person in people:
            person.lines.put(None)
        for person in people:
            person.thread.join()

    def stop(self) -> None:
        """Say nothing more."""
        self._stopped.set()
