"""One seed from start to verdict."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import psycopg

from tests.chaos.judge import Said, Send, judge, sends_of
from tests.chaos.kills import Executioner
from tests.chaos.plan import Plan
from tests.chaos.report import Outcome
from tests.chaos.stack import ChaosStack, CouldNotRun, running_chaos_stack
from tests.chaos.talk import Talk

__all__ = ["play"]

#: What a kill takes from pause to recovery, on average: lines are spread over so much time.
KILL_S = 10.0
DRAIN_S = 300.0
#: A seed takes at most eight minutes, its end included.
SEED_S = 480.0
END_S = 15.0
DRAIN_POLL_S = 1.0
#: Nothing is answered any more when for so long nothing was: longer than a second look of reconciliation.
QUIET_S = 90.0
CHECK_EVERY_S = 10.0

Say = Callable[[str], None]


def play(plan: Plan, say: Say) -> Outcome:
    """Run a plan; :class:`CouldNotRun` when it showed nothing. Keeps the logs where something was found."""
    folder, began = Path(tempfile.mkdtemp(prefix=f"worktool-chaos-{plan.seed}-")), time.monotonic()
    keep = True
    try:
        with running_chaos_stack(folder) as stack:
            outcome = _Round(plan, stack, say, began).run()
        keep = bool(outcome.findings())
        return outcome
    except KeyboardInterrupt:
        keep = False
        raise
    finally:
        if keep:
            say(f"logs are kept in {folder} (run.log is the supervisor's)")
        else:
            shutil.rmtree(folder)


class _Round:
    """The state of one seed's run, which began at that monotonic instant."""

    def __init__(self, plan: Plan, stack: ChaosStack, say: Say, began: float) -> None:
        self.plan = plan
        self.stack = stack
        self.say = say
        self.began = began
        self.talk = Talk(stack.platform, stack.robot_id)
        self.executioner = Executioner(stack, self.talk, say, random.Random(plan.seed + 1))

    def run(self) -> Outcome:
        self.stack.platform.faults(*self.plan.faults())
        self.say(f"ready; {len(self.plan.lines)} lines, {len(self.plan.kills)} kills")
        try:
            self._disturb()
        finally:
            self.talk.stop()
            self.executioner.release()
        if self.talk.error is not None:
            raise CouldNotRun(f"the platform did not take a line: {self.talk.error}")
        deadline = min(time.monotonic() + DRAIN_S, self.began + SEED_S - END_S)
        self._drain(deadline)
        try:
            inconsistencies = self._settle(deadline)
        except CouldNotRun:
            self._outcome(0)  # what the ledger says is worth telling all the same
            raise
        return self._outcome(inconsistencies)

    def _disturb(self) -> None:
        talking = self.talk.begin(self.plan.lines, self._expected_s)
        for kill in self.plan.kills:
            self.executioner.carry_out(kill)
        talking.join()
        self.talk.finish()
        said = self.talk.said()
        missed = sum(1 for line in said if not line.delivered)
        self.say(f"{len(said)} lines said, {missed} of them to a door that did not take them; all kills made")

    def _expected_s(self) -> float:
        return KILL_S * (len(self.plan.kills) - len(self.executioner.struck))

    # -- the end -------------------------------------------------------------------------------------------------------

    def _drain(self, deadline: float) -> None:
        """Wait until every line is answered, or nothing comes any more."""
        began, newest = time.monotonic(), (0, time.monotonic())
        while time.monotonic() < deadline:
            sends, said = self._sends(), self.talk.said()
            finished = sum(1 for send in sends if send.executed)
            if finished != newest[0]:
                newest = (finished, time.monotonic())
            if _all_answered(said, sends) or time.monotonic() - newest[1] > QUIET_S:
                break
            time.sleep(DRAIN_POLL_S)
        left = self.stack.platform.control("GET", "faults")["faults"]
        self.say(f"answers came in for {time.monotonic() - began:.0f} s more; {len(left)} faults met nobody")

    def _settle(self, deadline: float) -> int:
        """Wait until the books are straight; returns how often they are not."""
        while found := self.stack.inconsistencies():
            if time.monotonic() + CHECK_EVERY_S > deadline:
                self.say(self.stack.consistency_output)
                break
            time.sleep(CHECK_EVERY_S)
        return found

    def _sends(self) -> list[Send]:
        return sends_of(self.stack.platform.ledger())

    def _outcome(self, inconsistencies: int) -> Outcome:
        said, struck = self.talk.said(), self.executioner.struck
        entries = self.stack.platform.ledger()
        verdict = judge(said, sends_of(entries), [one.disturbance for one in struck])
        outcome = Outcome(self.plan.seed, verdict, struck, inconsistencies)
        outcome.tell(self.say, self._diagnosis)
        if outcome.findings():
            self._keep("ledger.json", entries)
            self._keep("said.json", [asdict(line) | {"faults": sorted(line.faults)} for line in said])
        return outcome

    def _keep(self, name: str, document: object) -> None:
        text = json.dumps(document, ensure_ascii=False, indent=1)
        (self.stack.folder / name).write_text(text, encoding="utf-8")

    def _diagnosis(self, marker: str) -> str:
        """Say what the product itself knows of a line: no evidence, but where to look."""
        statement = (
            "SELECT message.reason, message.is_backfill, run.state, run.error FROM robots_message AS message"
            " LEFT JOIN flows_run AS run ON run.message_id = message.id"
            " WHERE message.direction = 'in' AND message.text LIKE %s"
        )
        try:
            rows = self.stack.query(statement, f"%{marker}")
        except psycopg.Error as error:
            return f" [{error}]"
        return f" [the product's books: {[tuple(row.values()) for row in rows]}]"


def _all_answered(said: list[Said], sends: list[Send]) -> bool:
    answered = {marker for send in sends if send.executed for marker in send.markers}
    return all(line.marker in answered for line in said)
