"""A fresh clone runs on a bare machine, as root and as an ordinary user, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable


def check(say: Callable[[str], None]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.verify_clean"], stdout=subprocess.PIPE, text=True
    ) as verifying:
        assert verifying.stdout is not None
        for line in verifying.stdout:
            say(line.rstrip())
    assert verifying.returncode == 0, "verify_clean failed; the lines above say where"
