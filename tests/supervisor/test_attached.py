"""Single commands on the embedded servers: they attach to running ones, or start them for their own duration."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.polling import eventually
from tests.supervisor.conftest import LEFT_OUT, LightRun
from worktool_ai.supervisor.environment import ROOT

pytestmark = pytest.mark.integration

#: Prints an address, then stays inside until its input is closed.
COMMAND = """
import os, sys
from worktool_ai.supervisor.environment import attached
with attached():
    print(os.environ["DATABASE_URL"], os.environ.get("ENVIRONMENT"), os.environ.get("PUBLIC_URL"), flush=True)
    sys.stdin.read()
"""


def command(data_dir: Path, **settings: str) -> subprocess.Popen[str]:
    outside = {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        cwd=ROOT,
        env={**outside, "DATA_DIR": str(data_dir), **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def test_the_last_command_stops_the_servers(light: LightRun) -> None:
    first = command(light.data_dir)
    url, environment, _ = first.stdout.readline().split()
    second = command(light.data_dir)
    assert second.stdout.readline().split()[0] == url
    assert environment == "embedded"
    first.communicate()
    assert answers(url)
    second.communicate()
    assert not answers(url)


def test_a_command_attaches_to_a_run_and_leaves_it_alone(light: LightRun) -> None:
    run = light.start()
    attached = command(light.data_dir)
    url, _, public_url = attached.stdout.readline().split()
    attached.communicate()
    assert url == run["database_url"]
    assert public_url == run["url"]
    assert answers(url)


def test_a_terminated_command_stops_what_it_started(light: LightRun) -> None:
    alone = command(light.data_dir)
    url = alone.stdout.readline().split()[0]
    alone.send_signal(signal.SIGTERM)
    alone.communicate()
    eventually(lambda: not answers(url))


def test_servers_start_again_after_a_command_was_killed(light: LightRun) -> None:
    killed = command(light.data_dir)
    url = killed.stdout.readline().split()[0]
    killed.kill()
    killed.communicate()
    assert answers(url)
    later = command(light.data_dir)
    assert later.stdout.readline().split()[0] == url
    later.communicate()
    assert not answers(url)


def test_a_store_of_the_callers_own_is_used(light: LightRun) -> None:
    own = "postgres://somebody@127.0.0.1:1/else"
    attached = command(light.data_dir, DATABASE_URL=own)
    assert attached.stdout.readline().split()[0] == own
    attached.communicate()
    assert not list(light.data_dir.glob("servers/postgres-*"))
