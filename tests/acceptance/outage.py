"""What rows with long outages share: lines said at a pace, servers hung or dead for a while, and the books after it."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3

from tests.chaos.judge import Disturbance, Finding, Verdict, judge, sends_of
from tests.chaos.plan import Line
from tests.chaos.stack import PACE_S, ChaosStack, running_chaos_stack
from tests.chaos.talk import Talk
from worktool_ai.supervisor.processes import Identity, signal_process

__all__ = ["Scene", "Stored", "few", "keep_dead", "keep_hung", "scene"]

OURS = ("web", "consumer", "worker", "beat", "relay")
KILL_EVERY_S = 0.1
POLL_S = 1.0
#: Longer than a second look of reconciliation takes to come.
QUIET_S = 75.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What the books say about one line: how often it is stored (not counting duplicates), and why it ended so."""

    times: int
    reasons: frozenset[str]
    is_backfill: bool


class Scene:
    """A running product and the people who talk to it."""

    def __init__(self, stack: ChaosStack, say: Callable[[str], None]) -> None:
        self.stack = stack
        self.say = say
        self.talk = Talk(stack.platform, stack.robot_id)

    def begin(self, lines: Sequence[Line], rate: float) -> threading.Thread:
        """Say lines in the background, ``rate`` a second."""

        def speak() -> None:
            began = time.monotonic()
            for number, line in enumerate(lines):
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
                self.talk.hand_over(line)

        speaking = threading.Thread(target=speak, daemon=True)
        speaking.start()
        return speaking

    def ours(self) -> set[Identity]:
        """Return the product's own processes, without the servers."""
        return {identity for role in OURS for identity in self.stack.identities(role)}

    def stored(self) -> dict[str, Stored]:
        """Return what is stored, by the line's text."""
        rows = self.stack.query(
            "SELECT text, count(*) FILTER (WHERE reason <> 'duplicate') AS times, bool_or(is_backfill) AS backfill,"
            "       array_agg(DISTINCT reason) FILTER (WHERE reason <> 'duplicate') AS reasons"
            "  FROM robots_message WHERE direction = 'in' GROUP BY text"
        )
        return {row["text"]: Stored(row["times"], frozenset(row["reasons"] or ()), row["backfill"]) for row in rows}

    def await_settled(self, lines: Iterable[Line], seconds: float) -> dict[str, Stored]:
        """Wait until every line is stored and has its reason, at most ``seconds``; returns what is stored then."""
        texts, deadline = [line.text for line in lines], time.monotonic() + seconds
        while True:
            stored = self.stored()
            left = [text for text in texts if text not in stored or "" in stored[text].reasons]
            if not left or time.monotonic() > deadline:
                self.say(f"{len(texts) - len(left)} of {len(texts)} lines are stored and settled")
                return stored
            time.sleep(POLL_S)

    def answered_later_than(self, seconds: float) -> list[str]:
        """Return the markers whose answer came more than so many seconds after they were said."""
        told = {
            marker: max(send.executed)
            for send in sends_of(self.stack.platform.ledger())
            for marker in send.markers
            if send.executed
        }
        return [line.marker for line in self.talk.said() if told.get(line.marker, 0.0) - line.at > seconds]

    def becomes_ready(self, seconds: float) -> bool:
        """Wait until every part says ok on /readyz, at most ``seconds``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = urllib3.request("GET", f"{self.stack.url}/readyz", retries=False, timeout=10)
            if answer.status == 200 and answer.json()["status"] == "ok":
                return True
            time.sleep(POLL_S)
        return False

    def await_quiet(self, seconds: float) -> None:
        """Wait until the phone has done nothing new for :data:`QUIET_S`, at most ``seconds``."""
        deadline, newest = time.monotonic() + seconds, (-1, time.monotonic())
        while time.monotonic() < min(deadline, newest[1] + QUIET_S):
            done = sum(len(send.executed) for send in sends_of(self.stack.platform.ledger()))
            if done != newest[0]:
                newest = (done, time.monotonic())
            time.sleep(POLL_S)

    def verdict(self, disturbances: Sequence[Disturbance]) -> Verdict:
        return judge(self.talk.said(), sends_of(self.stack.platform.ledger()), disturbances)


def few(findings: Sequence[Finding]) -> str:
    """Say how many there are, and what the first ones are about."""
    first = "; ".join(f"{finding.line.marker} in {finding.line.chat}: {finding.why}" for finding in findings[:5])
    return f"{len(findings)}: {first}"


@contextmanager
def scene(name: str, say: Callable[[str], None], pace_s: float = PACE_S) -> Iterator[Scene]:
    """Run the product for the length of the block; its log is kept where the block fails."""
    folder = Path(tempfile.mkdtemp(prefix=f"worktool-{name}-"))
    try:
        with running_chaos_stack(folder, pace_s) as stack:
            yield Scene(stack, say)
    except BaseException:
        say(f"logs are kept in {folder}")
        raise
    shutil.rmtree(folder)


def keep_dead(stack: ChaosStack, role: str, seconds: float) -> Disturbance:
    """Kill every process of a role again and again, so that none ever serves; returns when that was."""
    began = time.time()
    while time.time() < began + seconds:
        for victim in stack.identities(role):
            signal_process(victim, signal.SIGKILL)
        time.sleep(KILL_EVERY_S)
    return Disturbance(role, "kept dead", began, time.time())


def keep_hung(stack: ChaosStack, role: str, seconds: float) -> Disturbance:
    """Stop every process of a role, and let all go on after ``seconds``; returns when that was."""
    began, stopped = time.time(), set[Identity]()
    try:
        while late := set(stack.identities(role)) - stopped:  # PostgreSQL may just have had a child
            for victim in late:
                signal_process(victim, signal.SIGSTOP)
            stopped |= late
        time.sleep(seconds)
    finally:
        for victim in stopped:
            signal_process(victim, signal.SIGCONT)
    return Disturbance(role, "stopped", began, time.time())
