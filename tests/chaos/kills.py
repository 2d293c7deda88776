"""Kills and stops processes of a running stack, and measures how long it takes until customers are answered again."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.chaos.judge import Disturbance, Send, recovery_s, sends_of
from tests.chaos.plan import DOWN_S, EVERYTHING, Kill
from tests.chaos.stack import ChaosStack, CouldNotRun
from tests.chaos.talk import Talk
from worktool_ai.supervisor.processes import Identity, signal_process

__all__ = ["Executioner", "Struck"]

POLL_S = 0.2
#: Nobody waits longer for an answer after a kill: it is a finding by then.
GIVE_UP_S = 60.0
#: An aimed line is at the platform by then, or the kill comes without it.
AIM_S = 12.0
PRESENT_S = 20.0
#: A call that came to the platform longer ago has ended, one way or the other.
HELD_S = 10.0
#: Whose death between a command's row and its result leaves something to find out.
MATTERS = frozenset({"web", "consumer", "worker", "redis", "postgres", EVERYTHING})


@dataclass(frozen=True, slots=True)
class Struck:
    """A kill that was made. ``recovery_s`` counts from the kill, of everything from the start that followed."""

    kill: Kill
    at: float
    recovery_s: float
    between_row_and_result: bool

    @property
    def disturbance(self) -> Disturbance:
        down = DOWN_S if self.kill.role == EVERYTHING else 0.0
        return Disturbance(self.kill.role, self.kill.how, self.at, self.at + down + self.recovery_s)


@dataclass
class Executioner:
    """Carries out kills one after the other; whatever it has stopped goes on when the block ends."""

    stack: ChaosStack
    talk: Talk
    say: Callable[[str], None]
    dice: random.Random
    struck: list[Struck] = field(default_factory=list)
    _stopped: list[Identity] = field(default_factory=list)

    def carry_out(self, kill: Kill) -> Struck:
        time.sleep(kill.pause_s)
        if kill.aimed:
            self._await_hold(kill)
        before = self.sends()
        at = time.time()
        is_between = kill.role in MATTERS and any(send.is_held and send.at > at - HELD_S for send in before)
        killed_at, since = self._strike(kill)
        # of what was said before everything went down nothing can be on its way
        asked_since = 0.0 if kill.role == EVERYTHING else killed_at
        recovery = self._await_recovery(since, killed_at=killed_at, asked_since=asked_since)
        struck = Struck(kill, at, recovery, is_between)
        self.struck.append(struck)
        note = ", a command between row and result" if is_between else ""
        self.say(f"{kill.role} {kill.how}: answers again after {recovery:.1f} s{note}")
        return struck

    def sends(self) -> list[Send]:
        return sends_of(self.stack.platform.ledger())

    def _await_hold(self, kill: Kill) -> None:
        """Say the aimed line and wait until the platform holds the call that answers it."""
        assert kill.aimed is not None
        marker = kill.aimed.marker
        self.talk.hand_over(kill.aimed)
        deadline = time.monotonic() + AIM_S
        while not any(marker in send.markers and send.is_held for send in self.sends()):
            if time.monotonic() > deadline:
                return self.say(f"{marker} did not come to the platform in time")
            time.sleep(POLL_S / 4)
        return None

    # -- striking ------------------------------------------------------------------------------------------------------

    def _strike(self, kill: Kill) -> tuple[float, float]:
        """Kill or stop; returns when that was done, and the moment from which recovery counts."""
        if kill.role == EVERYTHING:
            return self._strike_everything()
        victims = self._victims(kill)
        if not kill.stop_s:
            for victim in victims:
                signal_process(victim, signal.SIGKILL)
            return time.time(), time.time()
        self._stop(kill.role, victims)
        done = time.time()
        time.sleep(kill.stop_s)
        self.release()
        return done, done

    def _victims(self, kill: Kill) -> list[Identity]:
        deadline = time.monotonic() + PRESENT_S
        while not (present := self.stack.identities(kill.role)):
            if time.monotonic() > deadline:
                raise CouldNotRun(f"no process of {kill.role} is running")
            time.sleep(POLL_S)
        if kill.role == "postgres":  # a single backend's death is the postmaster's to handle
            return present if kill.stop_s else present[:1]
        return [self.dice.choice(present)] if kill.is_one else present

    def _stop(self, role: str, victims: Iterable[Identity]) -> None:
        for victim in victims:
            self._stopped.append(victim)
            signal_process(victim, signal.SIGSTOP)
        if role == "postgres":  # who was born while we stopped its siblings
            for late in set(self.stack.identities(role)) - set(self._stopped):
                self._stopped.append(late)
                signal_process(late, signal.SIGSTOP)

    def release(self) -> None:
        """Let everything go on that was stopped."""
        while self._stopped:
            signal_process(self._stopped.pop(), signal.SIGCONT)

    def _strike_everything(self) -> tuple[float, float]:
        for identity in self.stack.everybody():
            signal_process(identity, signal.SIGKILL)
        self.stack.process.wait()
        done = time.time()
        time.sleep(DOWN_S)
        self.stack.start()
        return done, time.time()

    def _await_recovery(self, since: float, **when: float) -> float:
        deadline = time.monotonic() + GIVE_UP_S
        while True:
            recovered = recovery_s(since, self.talk.said(), self.sends(), **when)
            if recovered is not None:
                return recovered
            self.stack.check_lives()
            if time.monotonic() > deadline:
                return time.time() - since
            time.sleep(POLL_S)
