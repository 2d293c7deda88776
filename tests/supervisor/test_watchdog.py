"""A child that hangs is noticed by its silence, killed, and started again."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.polling import eventually
from worktool_ai.lib import watchdog
from worktool_ai.supervisor.children import Child, Program, programs_of
from worktool_ai.supervisor.environment import ROOT
from worktool_ai.supervisor.output import Log
from worktool_ai.supervisor.pulse import Pulse

FEEDING = "import time; from worktool_ai.lib import watchdog; watchdog.feed(); print('fed', flush=True); time.sleep(60)"
SILENT = "import time; print('quiet', flush=True); time.sleep(60)"


class Watched:
    """A child under a log that can be read."""

    def __init__(self, code: str) -> None:
        self.said = io.StringIO()
        program = Program("relay", (sys.executable, "-c", code), stage=0, grace_s=1, hung_s=2.0)
        self.child = Child(program, 1, dict(os.environ), Log(self.said))
        self.child.start(ROOT)

    def tend(self) -> bool:
        self.child.kill_if_hung()
        return self.child.notice_death()


@pytest.fixture
def start() -> Iterator[type[Watched]]:
    started: list[Watched] = []

    class Remembered(Watched):
        def __init__(self, code: str) -> None:
            super().__init__(code)
            started.append(self)

    yield Remembered
    for watched in started:
        watched.child.signal(signal.SIGKILL)
        watched.child.wait(0)


def test_a_stopped_child_is_killed_and_started_again(start: type[Watched]) -> None:
    watched = start(FEEDING)
    eventually(lambda: "fed" in watched.said.getvalue())
    first = watched.child.pid
    watched.child.signal(signal.SIGSTOP)
    eventually(watched.tend)
    assert "no sign of life" in watched.said.getvalue()
    eventually(watched.child.is_due)
    watched.child.start(ROOT)
    assert watched.child.pid not in (None, first)


def test_a_child_that_never_fed_the_watchdog_is_left_alone(start: type[Watched]) -> None:
    watched = start(SILENT)
    eventually(lambda: "quiet" in watched.said.getvalue())
    watched.child.signal(signal.SIGSTOP)
    assert not watched.tend()
    assert watched.child.pid


def test_silence_counts_from_the_first_sign_on() -> None:
    pulse = Pulse()
    assert pulse.silent_s() == 0.0
    os.write(pulse.handed, b"..")
    pulse.silent_s()
    eventually(lambda: pulse.silent_s() > 0.01)
    os.write(pulse.handed, b".")
    assert pulse.silent_s() < 0.01
    pulse.release()
    pulse.close()


def test_a_full_pipe_or_a_dead_supervisor_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    pulse = Pulse()
    monkeypatch.setenv(watchdog.VARIABLE, str(pulse.handed))
    for _ in range(70_000):
        watchdog.pulse()
    pulse.close()
    watchdog.pulse()
    pulse.release()


def test_everything_but_the_simulator_is_watched(tmp_path: Path) -> None:
    programs = programs_of(3, 8000, 2, tmp_path)
    assert {program.role for program in programs if program.hung_s is None} == {"simulator"}
