"""500 commands and queries of four senders: the platform never counts more than the limit a minute, nor much less."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.acceptance.senders import SEND, queue, running
from tests.chaos.stack import ChaosStack, running_chaos_stack

LIMIT, RESERVE, PLATFORM_LIMIT, WINDOW_S = 50, 5, 60, 60.0
COMMANDS, QUERIES, SENDERS = 480, 100, 4
USED = 0.8
LONGEST_S = 1200.0
POLL_S = 2.0

ASK = f"""
import time
from robots.client import NoLeave, platform
from robots.models import Robot
robot, left = Robot.objects.get(slug="demo"), {QUERIES}
while left:
    try:
        platform().raw_msg_list(robot, size=1)
        left -= 1
    except NoLeave:
        pass
    time.sleep(1.0)
"""


def check(say: Callable[[str], None]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="worktool-budget-"))
    with running_chaos_stack(folder, our_limit=str(LIMIT), platform_limit=str(PLATFORM_LIMIT)) as stack:
        since = stack.platform.control("GET", "ledger", since=0)["last"]
        # edits of groups: none of them may share a request, so each costs one
        queue(stack, COMMANDS, kind=207, payload='{"groupName": room, "newGroupAnnouncement": "公告"}')
        with running(stack, [SEND] * (SENDERS - 1) + [ASK]):
            _await_empty(stack, say)
        entries = stack.platform.ledger(since)
    _judge(entries, say)
    shutil.rmtree(folder)


def _await_empty(stack: ChaosStack, say: Callable[[str], None]) -> None:
    deadline, told = time.monotonic() + LONGEST_S, 0.0
    while left := stack.query("SELECT count(*) AS n FROM robots_command WHERE state IN ('queued', 'sending')")[0]["n"]:
        assert time.monotonic() < deadline, f"{left} commands are left after {LONGEST_S:.0f} s"
        if time.monotonic() - told > WINDOW_S:
            told = time.monotonic()
            say(f"{left} commands wait")
        time.sleep(POLL_S)


def _judge(entries: Sequence[dict[str, Any]], say: Callable[[str], None]) -> None:
    stamps = [datetime.fromisoformat(entry["at"]).timestamp() for entry in entries]
    said = [stamp for stamp, entry in zip(stamps, entries, strict=True) if entry["method"] == "POST"]
    refused = Counter(entry["status"] for entry in entries if entry["status"] != 200)
    busy_s = said[-1] - said[0]
    counts = [
        sum(1 for stamp in stamps if said[0] + step <= stamp < said[0] + step + WINDOW_S)
        for step in range(int(busy_s - WINDOW_S) + 1)
    ]
    used = sum(1 for stamp in stamps if said[0] <= stamp <= said[-1])
    share = used / (LIMIT * (busy_s + WINDOW_S) / WINDOW_S)
    say(f"{len(said)} commands and {len(stamps) - len(said)} queries in {busy_s:.0f} s")
    say(f"in {len(counts)} windows: at most {max(counts)}, at least {min(counts)} of {LIMIT}; {share:.0%} used")
    assert len(said) == COMMANDS, f"{COMMANDS} commands were queued"
    assert len(stamps) > len(said), "no query was let through"
    assert not refused, f"the platform refused: {dict(refused)}"
    assert max(counts) <= LIMIT, f"{max(counts)} requests in a window"
    assert share >= USED, f"{share:.0%} used while work waited"
