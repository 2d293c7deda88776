"""Stop everything while four processes send at full speed: nothing leaves after the click but what is in hand."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.senders import SEND, queue, running
from tests.chaos.stack import ChaosStack, running_chaos_stack
from tests.polling import eventually

COMMANDS, SENDERS, AT_SPEED = 6000, 4, 300
SOON = timedelta(seconds=2)

#: Started before there is anything to send; it clicks as soon as the senders are at full speed.
CLICK = f"""
import time
from robots import switches
from robots.models import Command
while Command.objects.exclude(state="queued").count() < {AT_SPEED}:
    time.sleep(0.02)
switches.stop("all", "价格写错了", "验收")
"""


def check(say: Callable[[str], None]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="worktool-stop-"))
    with running_chaos_stack(folder) as stack:
        since = stack.platform.control("GET", "ledger", since=0)["last"]
        with running(stack, [SEND] * (SENDERS - 1) + [CLICK]):
            queue(stack, COMMANDS, kind=203, payload='{"titleList": [room], "receivedContent": f"{room}，您好"}')
            eventually(lambda: stack.query("SELECT 1 FROM robots_switch"), 120, "the click")
            eventually(lambda: not _under_way(stack), 60, "the queue is withdrawn")
        _judge(stack, stack.platform.ledger(since), say)
    shutil.rmtree(folder)


def _under_way(stack: ChaosStack) -> bool:
    return bool(stack.query("SELECT 1 FROM robots_command WHERE state IN ('queued', 'sending') LIMIT 1"))


def _judge(stack: ChaosStack, entries: Sequence[dict[str, Any]], say: Callable[[str], None]) -> None:
    (stop,) = stack.query("SELECT since, withdrawn FROM robots_switch")
    sends = [entry for entry in entries if entry["method"] == "POST"]
    said = [_at(entry) for entry in sends if entry["commands"][0]["type"] == 203]
    cleared = [_at(entry) for entry in sends if entry["commands"][0]["type"] == 304]
    after = [at - stop["since"] for at in said if at > stop["since"]]
    latest = max(after, default=timedelta())
    say(f"{len(said)} of {COMMANDS} had left; {len(after)} were in hand, the last of them for {_ms(latest)} ms")
    assert cleared, "the phone's queue was not cleared"
    say(f"{stop['withdrawn']} withdrawn; the phone's queue cleared after {_ms(cleared[0] - stop['since'])} ms")
    assert len(said) < COMMANDS, "everything had left before the click"
    assert latest <= SOON, f"a line left {latest} after the click"
    assert cleared[0] - stop["since"] <= SOON, f"cleared {cleared[0] - stop['since']} after the click"


def _at(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["at"])


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
