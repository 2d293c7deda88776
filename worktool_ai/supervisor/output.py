"""One readable log out of everybody's output."""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

__all__ = ["Log", "Tail"]

COLOURS = {
    "web": 36,
    "consumer": 35,
    "worker": 32,
    "beat": 34,
    "relay": 33,
    "simulator": 96,
    "prepare": 94,
    "postgres": 90,
    "redis": 90,
}
LEVEL_COLOURS = {"warning": 33, "error": 31, "critical": 31}
NAME_WIDTH = 12
#: Fields of a JSON line that have a place of their own, or that tell a reader nothing new.
PLACED = ("time", "timestamp", "level", "event", "exception")


class Log:
    """Writes whole lines, each with the name of who said it; usable from many threads."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self.stream = stream or sys.stdout
        self.coloured = self.stream.isatty() and "NO_COLOR" not in os.environ
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Write a line of the supervisor itself."""
        self._write(f"{_clock()} info    {self._paint('setup', 1)} {text}")

    def relay(self, name: str, line: str) -> None:
        """Write a line of a child: JSON log lines become readable, anything else stays as it is."""
        text = line.rstrip()
        if not text:
            return
        prefix = self._paint(name, COLOURS.get(name.partition("-")[0], 37))
        record = _parse(text)
        if record is None:
            self._write(f"{_clock()} {'':7} {prefix} {text}")
        else:
            self._write(self._render(prefix, record))

    def _render(self, prefix: str, record: dict[str, Any]) -> str:
        level = str(record.get("level", "info"))
        shown = f"{level:7}"
        if self.coloured and level in LEVEL_COLOURS:
            shown = f"\033[{LEVEL_COLOURS[level]}m{shown}\033[0m"
        fields = " ".join(f"{key}={_value(value)}" for key, value in record.items() if key not in PLACED)
        line = f"{_clock(record.get('time'))} {shown} {prefix} {record.get('event', '')} {fields}".rstrip()
        return f"{line}\n{str(record['exception']).rstrip()}" if record.get("exception") else line

    def _paint(self, name: str, colour: int) -> str:
        padded = f"{name:{NAME_WIDTH}}"
        return f"\033[{colour}m{padded}\033[0m" if self.coloured else padded

    def _write(self, line: str) -> None:
        with self._lock:
            try:
                self.stream.write(f"{line}\n")
                self.stream.flush()
            except OSError:  # the terminal is gone: that is no reason to stop serving
                return


def _parse(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "event" in record else None


def _clock(moment: object = None) -> str:
    """Return a time as local ``HH:MM:SS.mmm``; now when it is none."""
    try:
        parsed = datetime.fromisoformat(str(moment))
    except ValueError:
        parsed = datetime.now(UTC)
    return parsed.astimezone().strftime("%H:%M:%S.%f")[:-3]


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(text, ensure_ascii=False) if " " in text and isinstance(value, str) else text


class Tail:
    """Follows a server's log file: servers outlive the supervisor, so they cannot write into its pipe."""

    def __init__(self, name: str, path: Path, log: Log) -> None:
        self.name = name
        self.path = path
        self.log = log
        self._position = path.stat().st_size if path.exists() else 0
        self._rest = ""

    def poll(self) -> None:
        """Relay what was added since the last time."""
        try:
            size = self.path.stat().st_size
        except OSError:
            return
        if size < self._position:  # begun anew
            self._position = 0
        if size == self._position:
            return
        with self.path.open("rb") as file:
            file.seek(self._position)
            added = file.read(size - self._position)
        self._position += len(added)
        lines = (self._rest + added.decode("utf-8", errors="replace")).split("\n")
        self._rest = lines.pop()
        for line in lines:
            self.log.relay(self.name, line)
