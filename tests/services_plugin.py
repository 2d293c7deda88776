"""Starts the embedded servers once for a test run, before Django reads its settings.

Loaded by ``-p tests.services_plugin`` (pyproject.toml): a conftest would come too late, because pytest-django sets
Django up before conftests are read. The first process (xdist's controller, or the only one) starts the servers in a
temporary folder of their own; xdist's workers inherit their addresses through the environment, take a Redis database
each and get a PostgreSQL database each from pytest-django.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from worktool_ai.supervisor.embedded import EmbeddedServers
from worktool_ai.supervisor.layout import Layout

PREFIX = "worktool-tests-"
_running: list[tuple[EmbeddedServers, Path]] = []


def _worker_number() -> int:
    """Return 0 for the first process, 1 and up for xdist's workers (``gw0`` is 1)."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw-1").removeprefix("gw")) + 1


def _remove_left_overs() -> None:
    """Remove the folders of test runs that were killed: nobody holds their lock any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with (folder / "data" / "servers.users").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # in use, being made, or somebody else's


def _start_servers() -> None:
    _remove_left_overs()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o755)  # the servers' unprivileged user must be able to enter
    servers = EmbeddedServers(Layout(folder / "data", folder / "servers"), fsync=False, mortal=True)
    _running.append((servers, folder))
    os.environ.update(servers.start())
    os.environ.update(
        {
            "ENVIRONMENT": "test",
            "SECRET_KEY": servers.credentials.secret_key,
            "ENCRYPTION_KEYS": servers.credentials.encryption_key,
            "SIMULATOR_TOKEN": servers.credentials.simulator_token,
            "DATA_DIR": str(folder / "data"),
            "LOG_FORMAT": "json",
        }
    )
    for name in ("WORKTOOL_BASE_URL", "PUBLIC_URL", "FAILPOINTS"):
        os.environ.pop(name, None)  # a developer's own shell must not steer the tests


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    number = _worker_number()
    if number == 0:
        _start_servers()
    else:
        for name in ("REDIS_URL", "REDIS_BROKER_URL"):
            os.environ[name] = f"{os.environ[name].rpartition('/')[0]}/{number}"
    try:
        yield
    except BaseException:  # settings that do not load, or a wrong option: pytest_unconfigure is not called then
        _stop_servers()
        raise


def pytest_unconfigure() -> None:
    _stop_servers()


def _stop_servers() -> None:
    while _running:
        servers, folder = _running.pop()
        servers.leave()
        shutil.rmtree(folder, ignore_errors=True)
