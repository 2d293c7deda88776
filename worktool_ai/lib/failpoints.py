"""Named points where a test can kill, stall or fail a process: ``reach("outbox.after_mark")``.

Armed by ``FAILPOINTS="outbox.after_mark=kill;engine.before_commit=sleep:5;door.xadd=raise@3"`` in the environment,
or by the same text (also one point a line) in the file that ``FAILPOINT_FILE`` names, so that a test can arm a
process that already runs. Actions: ``kill`` (SIGKILL to itself), ``stop`` (SIGSTOP: the process hangs until
SIGCONT), ``sleep:SECONDS``, ``raise``. ``@3`` acts at the third hit only; without it every hit acts.

In production nothing can be armed: :func:`check` makes the start fail. Unarmed, a point costs one global read.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FailpointError", "FailpointReached", "arm", "check", "hits", "reach"]

#: Seconds between two looks at the control file.
_REREAD_S = 0.1
_ACTIONS = ("kill", "stop", "raise", "sleep")


class FailpointReached(RuntimeError):
    """What the action ``raise`` raises."""


class FailpointError(ValueError):
    """The setting cannot be understood, or may not be used here."""


@dataclass(frozen=True, slots=True)
class _Action:
    kind: str
    seconds: float = 0.0
    at_hit: int = 0


class _State:
    """What is armed in this process, and how often each armed point was reached."""

    def __init__(self) -> None:
        self.actions: dict[str, _Action] = {}
        self.hits: Counter[str] = Counter()
        self.file: Path | None = None
        self.stamp: tuple[int, int] | None = None
        self.next_look = 0.0


_state = _State()
#: False as long as nothing can be armed: all that an ordinary process ever reads.
_watching = False


def reach(name: str) -> None:
    """Pass a named point; does what is armed for it."""
    if _watching:
        _pass(name)


def arm(text: str) -> None:
    """Replace what is armed in this process; the empty text disarms. Raises :class:`FailpointError`."""
    global _watching
    _state.actions = _parsed(text)
    _state.hits.clear()
    _watching = bool(_state.actions) or _state.file is not None


def hits(name: str) -> int:
    """Return how often a point was reached since something was armed (for it or for another)."""
    return _state.hits[name]


def check(environment: str) -> None:
    """Call at start: refuse any armed point in production; raises :class:`FailpointError`."""
    if environment == "production" and (os.environ.get("FAILPOINTS") or os.environ.get("FAILPOINT_FILE")):
        raise FailpointError("FAILPOINTS and FAILPOINT_FILE are for tests: unset them in production")


def _pass(name: str) -> None:
    _look_at_file()
    _state.hits[name] += 1
    action = _state.actions.get(name)
    if action is not None and action.at_hit in (0, _state.hits[name]):
        _perform(name, action)


def _perform(name: str, action: _Action) -> None:
    if action.kind == "sleep":
        time.sleep(action.seconds)
    elif action.kind == "raise":
        raise FailpointReached(name)
    else:
        os.kill(os.getpid(), signal.SIGKILL if action.kind == "kill" else signal.SIGSTOP)


def _look_at_file() -> None:
    now = time.monotonic()
    if _state.file is None or now < _state.next_look:
        return
    _state.next_look = now + _REREAD_S
    try:
        status = _state.file.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != _state.stamp:
            arm(_state.file.read_text("utf-8"))
            _state.stamp = stamp
    except FileNotFoundError:
        _state.actions, _state.stamp = {}, None


def _parsed(text: str) -> dict[str, _Action]:
    entries = [entry.strip() for entry in text.replace("\n", ";").split(";") if entry.strip()]
    return dict(_entry(entry) for entry in entries)


def _entry(entry: str) -> tuple[str, _Action]:
    name, _, action = entry.partition("=")
    action, _, at_hit = action.partition("@")
    kind, _, seconds = action.partition(":")
    try:
        parsed = _Action(kind, float(seconds or 0), int(at_hit or 0))
    except ValueError:
        raise FailpointError(f"FAILPOINTS: {entry!r} is not name=action[:seconds][@hit]") from None
    if kind not in _ACTIONS or not name:
        raise FailpointError(f"FAILPOINTS: {entry!r} has no action of {', '.join(_ACTIONS)}")
    return name, parsed


def _start() -> None:
    path = os.environ.get("FAILPOINT_FILE", "")
    _state.file = Path(path) if path else None
    arm(os.environ.get("FAILPOINTS", ""))


_start()
