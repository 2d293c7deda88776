"""Crash points act when armed, at the hit that was named, and never in production."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from worktool_ai.lib import failpoints
from worktool_ai.lib.failpoints import FailpointError, FailpointReached, reach

LOOP = """
import sys, time
from worktool_ai.lib.failpoints import reach
for n in range(100_000):
    reach("loop")
    print(n, flush=True)
    time.sleep(0.02)
"""


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    failpoints.arm("")


def start(code: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **env}, stdout=subprocess.PIPE, text=True)


def test_nothing_happens_unarmed():
    reach("a")
    assert failpoints.hits("a") == 0


def test_raise_at_the_named_hit_only():
    failpoints.arm("a=raise@3;b=sleep:0")
    reach("a")
    reach("b")
    reach("a")
    with pytest.raises(FailpointReached, match="a"):
        reach("a")
    reach("a")
    assert failpoints.hits("a") == 4


def test_sleep_stalls():
    failpoints.arm("a=sleep:0.05")
    before = time.monotonic()
    reach("a")
    assert time.monotonic() - before >= 0.05


@pytest.mark.parametrize("text", ["a", "a=", "a=explode", "=kill", "a=sleep:x", "a=raise@x"])
def test_a_typing_error_is_refused(text):
    with pytest.raises(FailpointError, match="FAILPOINTS"):
        failpoints.arm(text)


def test_kill_is_a_real_kill():
    with start(LOOP, FAILPOINTS="loop=kill@3") as process:
        out, _ = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert out.split() == ["0", "1"]


def test_a_running_process_is_armed_through_its_file(tmp_path):
    control = tmp_path / "failpoints"
    with start(LOOP, FAILPOINT_FILE=str(control)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        control.write_text("loop=kill\n")
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL


def test_the_file_arms_and_disarms(tmp_path, monkeypatch):
    control = tmp_path / "failpoints"
    monkeypatch.setattr(failpoints._state, "file", control)
    monkeypatch.setattr(failpoints, "_REREAD_S", 0)
    failpoints.arm("")
    reach("a")
    control.write_text("a=raise")
    with pytest.raises(FailpointReached):
        reach("a")
    control.unlink()
    reach("a")


@pytest.mark.parametrize("name", ["FAILPOINTS", "FAILPOINT_FILE"])
def test_production_refuses_to_start_armed(monkeypatch, name):
    monkeypatch.setenv(name, "x=kill")
    failpoints.check("test")
    with pytest.raises(FailpointError, match="production"):
        failpoints.check("production")
