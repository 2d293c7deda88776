"""The settings of the embedded default, and how a single command gets them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from worktool_ai.supervisor.embedded import EmbeddedServers
from worktool_ai.supervisor.layout import Credentials, Layout

__all__ = ["ADMIN_USER", "ROOT", "attached", "is_embedded", "layout_of", "process_environment", "settings_of"]

ROOT = Path(__file__).resolve().parent.parent.parent
ADMIN_USER = "admin"


def layout_of(environment: Mapping[str, str]) -> Layout:
    """Return the layout of DATA_DIR (default ``.data`` in the checkout)."""
    return Layout(ROOT / (environment.get("DATA_DIR") or ".data"))


def is_embedded(environment: Mapping[str, str]) -> bool:
    """Tell whether at least one store is ours to run."""
    return not (environment.get("DATABASE_URL") and environment.get("REDIS_URL"))


def settings_of(layout: Layout, credentials: Credentials) -> dict[str, str]:
    """Return what a process of the embedded default needs besides the addresses of its stores."""
    return {
        "ENVIRONMENT": "embedded",
        "DATA_DIR": str(layout.data_dir),
        "SECRET_KEY": credentials.secret_key,
        "ENCRYPTION_KEYS": ",".join(credentials.encryption_keys),
        "SIMULATOR_TOKEN": credentials.simulator_token,
        "ADMIN_USER": ADMIN_USER,
        "ADMIN_PASSWORD": credentials.admin_password,
        "DEMO_ROBOT_ID": credentials.robot_id,
        "DEMO_CALLBACK_KEY": credentials.callback_key,
    }


def process_environment(
    layout: Layout, credentials: Credentials, caller: Mapping[str, str], addresses: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of the supervisor's children.

    What the caller has set wins over what was generated; in production nothing is generated, so that a forgotten
    setting is named instead of replaced.
    """
    generated = settings_of(layout, credentials)
    if caller.get("ENVIRONMENT") == "production":
        generated = {"DATA_DIR": generated["DATA_DIR"]}
    # a second start must not compile everything again, whatever the caller's shell says
    given = {name: value for name, value in caller.items() if value and name != "PYTHONDONTWRITEBYTECODE"}
    ours = {"DATA_DIR": str(layout.data_dir), "LOG_FORMAT": "json", "PYTHONUNBUFFERED": "1"}
    return {**generated, **given, **addresses, **ours}


def _last_run(layout: Layout) -> dict[str, str]:
    """Return the addresses (PUBLIC_URL, WORKTOOL_BASE_URL) that the supervisor of this folder gave its children."""
    try:
        known: dict[str, str] = json.loads(layout.supervisor_file.read_text(encoding="utf-8"))["addresses"]
    except (OSError, ValueError, KeyError):
        return {}
    return known


@contextmanager
def attached() -> Iterator[None]:
    """Give this process the embedded default where the caller has no stores of his own.

    Attaches to running servers or starts them for the length of the block. What the caller set himself stays.
    """
    if not is_embedded(os.environ):
        yield
        return
    layout = layout_of(os.environ)
    servers = EmbeddedServers(layout, given=dict(os.environ))
    addresses = servers.start()
    defaults = {**settings_of(layout, servers.credentials), **_last_run(layout)}
    os.environ.update({k: v for k, v in {**defaults, **addresses}.items() if not os.environ.get(k)})
    # SIGTERM must reach the finally below too; a command with a handler of its own replaces this one
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        servers.leave()
