"""``python -m worktool_ai.supervisor run|clean-data``: what ``make run`` and ``make clean-data`` start."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from worktool_ai.supervisor.binaries import BinariesMissingError
from worktool_ai.supervisor.clean import CleanError, clean_data
from worktool_ai.supervisor.options import OptionsError
from worktool_ai.supervisor.output import Log
from worktool_ai.supervisor.runner import PrepareError, Supervisor
from worktool_ai.supervisor.server import ServerError
from worktool_ai.supervisor.state import AlreadyRunningError

REFUSED = 2


def main(arguments: Sequence[str]) -> int:
    """Run a verb; 0 done, 1 failed, 2 refused before anything was started (one line says why)."""
    verb = arguments[0] if arguments else "run"
    try:
        if verb == "run":
            return Supervisor(os.environ, Log()).run()
        if verb == "clean-data":
            return clean_data(os.environ, Log())
    except (OptionsError, AlreadyRunningError) as error:
        print(error, file=sys.stderr)
        return REFUSED
    except (ServerError, BinariesMissingError, PrepareError, CleanError) as error:
        print(error, file=sys.stderr)
        return 1
    print("usage: python -m worktool_ai.supervisor run|clean-data", file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
