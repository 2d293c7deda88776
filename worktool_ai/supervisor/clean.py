"""Removes everything that a data folder holds, after stopping what runs on it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Mapping

from worktool_ai.supervisor.embedded import EmbeddedServers
from worktool_ai.supervisor.environment import layout_of
from worktool_ai.supervisor.layout import Layout
from worktool_ai.supervisor.output import Log
from worktool_ai.supervisor.processes import is_alive, kill_all
from worktool_ai.supervisor.state import read_state, stop_orphans

__all__ = ["CleanError", "clean_data"]

STOP_S = 30.0


class CleanError(RuntimeError):
    """The folder is not ours to remove; the message names it."""


def clean_data(environment: Mapping[str, str], log: Log) -> int:
    """Stop the run on DATA_DIR, its orphans and its servers; remove DATA_DIR and the server folder."""
    layout = layout_of(environment)
    if not layout.data_dir.exists():
        log.say(f"nothing to remove: {layout.data_dir} does not exist")
        return 0
    _refuse_foreign(layout)
    supervisor = read_state(layout).supervisor
    if supervisor is not None and is_alive(supervisor):
        log.say(f"stopping the run of pid {supervisor.pid}")
        kill_all([supervisor], first=signal.SIGTERM, grace=STOP_S)
    stop_orphans(layout, log.say)
    EmbeddedServers.stop_left_over(layout, log.say)
    for folder in (layout.server_dir, layout.data_dir):
        if folder.exists():
            log.say(f"removing {folder}")
            shutil.rmtree(folder)
    return 0


def _refuse_foreign(layout: Layout) -> None:
    """Never remove a folder that we have not made, whatever DATA_DIR says."""
    names = {path.name for path in layout.data_dir.iterdir()}
    if names and not names & {"secrets", "supervisor.lock"}:
        raise CleanError(f"DATA_DIR={layout.data_dir} does not look like a data folder of ours: not removed.")
