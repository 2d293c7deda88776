"""The outbox: takes queued commands to the platform, each at most once.

    claim (a commit of its own) -> HTTP call, nothing held -> outcome, compare-and-set

One pump per process claims; the calls of its rounds run side by side, and outcomes that come together are written
together.

Killed before the claim is committed, a command is simply sent later; killed after it, reconciliation decides
(:mod:`robots.reconcile`). A call whose process was stopped on the way is not made: others may have decided meanwhile.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache, partial

from django.db import OperationalError

from robots import results
from robots.caches import robots_by_id
from robots.client import NotSent, Rejected, Throttled, Unknown, platform
from robots.error_codes import describe
from robots.limiter import Grant, LimiterError, limiter
from robots.models import CommandState
from robots.outbox_claim import claim, claimable
from robots.pump import Pump
from robots.transitions import Change, Changed, apply
from worktool_ai.lib import clock
from worktool_ai.lib.crypto import UndecryptableError
from worktool_ai.lib.db import borrowed, tx
from worktool_ai.lib.failpoints import reach
from worktool_ai.lib.logs import get_logger

__all__ = ["drain", "wake"]

logger = get_logger(__name__)

#: Commands taken at once.
MAX_BATCH = 100
#: A call that has not left so long after the claim does not leave any more (SIGSTOP, a machine put to sleep).
FREEZE_S = 3.0
#: After a 429 nobody sends for so long.
PAUSE_S = 60.0
MAX_BACKOFF_S = 15
#: A command without a deadline gives up after so many attempts that never reached the platform.
MAX_ATTEMPTS = 20
#: So long the first outcome waits for others that are on their way: a commit each would cost more than the calls.
GATHER_S = 0.01
#: Outcomes are worth more than a moment of waiting: without them a command waits a minute for reconciliation.
WRITE_ATTEMPTS = 5


def drain() -> int:
    """Send what may be sent now; returns how many commands left the queue.

    At once, with 0, when this process is at it already: it looks again then.
    """
    return _pump.run()


def wake() -> bool:
    """Have this process look again if it is sending anyway; False when it is not."""
    return _pump.ring()


def _round() -> tuple[list[Callable[[], None]], int]:
    """Claim what may leave now; returns the calls to make, and how many commands left the queue."""
    with borrowed():
        wanted = claimable(MAX_BATCH)
    if not wanted:
        return [], 0
    try:
        grant = limiter().acquire(wanted)
    except LimiterError as error:
        logger.warning("outbox.no_limiter", error=type(error).__name__)
        return [], 0
    return _claim(grant) if grant.granted else ([], 0)


def _claim(grant: Grant) -> tuple[list[Callable[[], None]], int]:
    reach("outbox.before_claim")
    not_after = time.monotonic() + FREEZE_S
    with tx():
        claimed, closed = claim(process_name(), grant.granted)
    _give_back(grant, grant.granted - len(claimed))
    if claimed:
        reach("outbox.after_mark")
    _outcomes.expect(len(claimed))
    calls: list[Callable[[], None]] = [
        partial(_deliver, command, _Leave(grant, number, not_after)) for number, command in enumerate(claimed, start=1)
    ]
    return calls, len(claimed) + closed


def _give_back(grant: Grant, unused: int) -> None:
    if unused:
        try:
            limiter().release(grant, unused)
        except LimiterError as error:
            logger.warning("outbox.no_limiter", error=type(error).__name__)  # the window forgets them by itself


# -- one call ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Leave:
    """Request ``number`` of a grant, to be made before the monotonic instant ``not_after``."""

    grant: Grant
    number: int
    not_after: float


def _deliver(command: Changed, leave: _Leave) -> None:
    try:
        outcome = _call(command, leave)
    except BaseException:
        _outcomes.expect(-1)
        raise
    logger.info(
        "outbox.called",
        command=str(command.id),
        runId=str(command.run_id or ""),
        outcome=outcome.state,
        error=outcome.error_reason or "",
    )
    _outcomes.put(outcome)


def _call(command: Changed, leave: _Leave) -> Change:
    """Make the call; returns what it means for the command."""
    try:
        robot = robots_by_id()[command.robot_id]
        limiter().starts(leave.grant, leave.number)
        platform_id = platform().send_raw_message(robot, [command.payload], not_after=leave.not_after)
    except (NotSent, LimiterError) as error:
        return _again(command, str(error))
    except Throttled as error:
        _pause()
        return _again(command, str(error))
    except Rejected as error:
        return replace(_own(command, CommandState.FAILED, _told(error)), error_code=error.code)
    except UndecryptableError:
        return _own(command, CommandState.FAILED, "the robot id cannot be decrypted")
    except Unknown as error:
        return _own(command, CommandState.UNKNOWN, str(error))
    reach("outbox.after_answer")
    return replace(_own(command, CommandState.ACCEPTED), platform_id=platform_id, accepted_at=clock.now())


def _again(command: Changed, reason: str) -> Change:
    """It surely was not accepted: queue it again, a little later each time."""
    if command.attempts >= MAX_ATTEMPTS:
        return _own(command, CommandState.FAILED, reason)
    wait = timedelta(seconds=min(MAX_BACKOFF_S, 2 ** (command.attempts - 1)))
    return replace(_own(command, CommandState.QUEUED, reason), not_before=clock.now() + wait)


def _own(command: Changed, state: str, reason: str = "") -> Change:
    """Change this process' own attempt. It may have been called unknown meanwhile: an answer is better evidence."""
    return Change(
        id=command.id,
        was=(CommandState.SENDING, CommandState.UNKNOWN),
        state=state,
        sender=process_name(),
        attempts=command.attempts,
        error_reason=reason,
    )


def _told(error: Rejected) -> str:
    meaning = str(describe(error.code).meaning)
    return f"{meaning}: {error.message}" if error.message else meaning


def _pause() -> None:
    try:
        limiter().pause(PAUSE_S)
    except LimiterError as error:
        logger.warning("outbox.no_limiter", error=type(error).__name__)


# -- outcomes, written together ----------------------------------------------------------------------------------------


class _Outcomes:
    """Writes outcomes together: while one write is on its way, the next ones gather."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Change] = []
        self._is_writing = False
        self._expected = 0

    def expect(self, calls: int) -> None:
        """Say that so many calls more (or fewer) will have an outcome."""
        with self._lock:
            self._expected += calls

    def put(self, outcome: Change) -> None:
        """Have an outcome written, by this caller or by the one that is writing already."""
        with self._lock:
            self._waiting.append(outcome)
            self._expected -= 1
            if self._is_writing:
                return
            self._is_writing = True
            others = self._expected
        try:
            if others:
                time.sleep(GATHER_S)
            while batch := self._take():
                _write_patiently(batch)
                _pump.ring()  # a room may be free again
        except BaseException:
            self._is_writing = False
            raise

    def _take(self) -> list[Change]:
        with self._lock:
            batch, self._waiting = self._waiting, []
            self._is_writing = bool(batch)
            return batch


def _write_patiently(batch: Sequence[Change]) -> None:
    for attempt in range(1, WRITE_ATTEMPTS + 1):
        try:
            return _write(batch)
        except OperationalError:
            if attempt == WRITE_ATTEMPTS:
                raise
            time.sleep(0.2 * 2**attempt)
    return None


def _write(batch: Sequence[Change]) -> None:
    with tx():
        changed = apply(batch)
        results.adopt(command for command in changed if command.state == CommandState.ACCEPTED)


@lru_cache(maxsize=1)
def _token(pid: int) -> str:
    return secrets.token_hex(4)


def process_name() -> str:
    """Return a name of this process that no other one has or will have."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_token(pid)}"[:80]


_pump = Pump(_round)
_outcomes = _Outcomes()
