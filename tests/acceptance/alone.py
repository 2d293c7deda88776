"""One measurement in a process of its own, on empty embedded stores: what rows about the AI layer share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from worktool_ai.supervisor.embedded import EmbeddedServers
from worktool_ai.supervisor.environment import ROOT
from worktool_ai.supervisor.layout import Layout

__all__ = ["run_alone"]

LONGEST_S = 1200.0


def run_alone(module: str, *arguments: object) -> dict[str, Any]:
    """Run ``python -m module OUT arguments..`` on migrated, empty stores; returns the JSON that it wrote to OUT."""
    with tempfile.TemporaryDirectory(prefix="worktool-alone-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the servers' unprivileged user must be able to enter
        servers = EmbeddedServers(Layout(folder / "data", folder / "servers"), fsync=False, mortal=True)
        try:
            environment = {**os.environ, **servers.start(), **_settings(servers, folder)}
            out = folder / "report.json"
            for command in (
                ["manage.py", "migrate", "--verbosity", "0"],
                ["-m", module, str(out), *map(str, arguments)],
            ):
                subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True, timeout=LONGEST_S)
            report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
            return report
        finally:
            servers.leave()


def _settings(servers: EmbeddedServers, folder: Path) -> dict[str, str]:
    return {
        "ENVIRONMENT": "test",
        "SECRET_KEY": servers.credentials.secret_key,
        "ENCRYPTION_KEYS": servers.credentials.encryption_key,
        "DATA_DIR": str(folder / "data"),
        "LOG_LEVEL": "ERROR",
    }
