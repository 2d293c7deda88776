"""Starting the simulator as a process: options, refusals, a clean stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from robots.simulator.app import create_app
from robots.simulator.records import Transcript
from robots.simulator.server import parse_robots
from worktool_ai.lib.loopback import StartRefused

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "robots.simulator"]


def environment(**more: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIMULATOR_")}
    return {**inherited, "ENVIRONMENT": "test", **more}


def start(*options: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *options],
        cwd=ROOT,
        env=environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.integration
def test_it_announces_its_address_serves_and_stops_on_sigterm() -> None:
    with start("--port", "0", SIMULATOR_TOKEN="secret") as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        assert urllib3.request("GET", f"{url}/sim/health").status == 200
        headers = {"Authorization": "Bearer secret"}
        assert urllib3.request("GET", f"{url}/sim/ledger", headers=headers).json()["entries"] == []
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("options", "env", "word"),
    [
        (["--port", "0"], {}, "SIMULATOR_TOKEN"),
        (["--port", "0", "--token", "x"], {"ENVIRONMENT": "production"}, "production"),
        (["--port", "0", "--token", "x", "--robot", "r1"], {}, "ROBOTID=URL"),
    ],
)
def test_it_refuses_to_start_in_one_line(options: list[str], env: dict[str, str], word: str) -> None:
    with start(*options, **env) as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert word in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.integration
def test_a_taken_port_is_named() -> None:
    with start("--port", "0", "--token", "x") as first:
        assert first.stdout is not None
        port = first.stdout.readline().rsplit(":", 1)[-1].strip()
        with start("--port", port, "--token", "x") as second:
            _, errors = second.communicate(timeout=20)
        first.terminate()
    assert second.returncode == 1
    assert f"Port {port}" in errors


@pytest.mark.integration
def test_it_imports_without_django() -> None:
    code = "import sys, robots.simulator.server; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_robots_are_read_from_options() -> None:
    assert parse_robots(["r1=http://127.0.0.1:1/cb/{event}?key=a=b"]) == {"r1": "http://127.0.0.1:1/cb/{event}?key=a=b"}
    with pytest.raises(StartRefused, match="event"):
        parse_robots(["r1=http://127.0.0.1:1/cb"])


def test_a_token_is_needed() -> None:
    with pytest.raises(StartRefused, match="token"):
        create_app(token="")


def test_the_transcript_forgets_its_oldest_lines() -> None:
    transcript = Transcript(keep=3)
    for number in range(5):
        transcript.add("一" if number % 2 else "二", "person", "张三", str(number))
    assert [line.text for line in transcript.since(None, 0)] == ["2", "3", "4"]
    assert [line.text for line in transcript.since("一", 0)] == ["3"]
    assert [line.text for line in transcript.since("二", 0)] == ["2", "4"]
