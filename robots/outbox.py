"""The outbox: takes queued commands to the platform, each at most once.

    claim (a commit of its own) -> HTTP call, nothing held -> outcome, compare-and-set

One process at a time claims (:mod:`robots.turn`), with one pump; the calls of its rounds run side by side, and outcomes
that come together are written together.

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
from uuid import UUID

from django.conf import settings

from robots import files, switches
from robots.caches import robots_by_id
from robots.client import Credentials, NoCredentials, NotSent, Rejected, Throttled, Unknown, platform
from robots.error_codes import describe
from robots.limiter import Grant, LimiterError, limiter, share_of_sends
from robots.models import CommandState
from robots.outbox_claim import candidates, claim, close
from robots.outbox_requests import Request, requests, wanted
from robots.outcomes import Outcomes
from robots.pump import Found, Pump
from robots.transitions import Change, Changed
from robots.turn import TICK_S, turn_of
from worktool_ai.lib import clock
from worktool_ai.lib.concurrency import spawn
from worktool_ai.lib.db import borrowed, tx
from worktool_ai.lib.failpoints import reach
from worktool_ai.lib.logs import get_logger

__all__ = ["drain", "host", "wake"]

logger = get_logger(__name__)

#: Commands taken at once.
MAX_BATCH = 100
#: A call that has not left so long after the claim does not leave any more (SIGSTOP, a machine put to sleep).
FREEZE_S = 3.0
MAX_BACKOFF_S = 15
#: A command without a deadline gives up after so many attempts that never reached the platform.
MAX_ATTEMPTS = 20
#: So often somebody looks anyway (robots.poll_outbox).
POLL_S = 1.0
#: No leave.
NOTHING = Grant((), 0.0)


def drain() -> int:
    """Send what may be sent now; returns how many commands left the queue.

    At once, with 0, when this process is at it already or another one has the turn: that one looks again then.
    """
    return _pump.run()


def host() -> None:
    """Have :func:`wake` start sending in this process: it is a worker."""
    _Process.is_host = True


def wake() -> bool:
    """Have what is queued sent by this process, or by the one that has the turn; False when this one never sends."""
    if _pump.ring():
        return True
    if _Process.is_host:
        spawn(_drain_alone)
    return _Process.is_host


def _drain_alone() -> None:
    try:
        drain()
    except Exception:
        logger.exception("outbox.failed")  # the poll looks again


class _Process:
    """``is_host``: a worker. ``may_wait``: something queued may wait for the end of what is under way."""

    is_host = False
    may_wait = True


def _round() -> Found:
    """Claim what may leave now; returns the calls to make, and how many commands left the queue."""
    _Process.may_wait = True  # until we know better: outcomes that are written meanwhile are not in what is seen here
    with borrowed():
        found = candidates(MAX_BATCH, _outcomes.answered())
    if not found:
        return Found()
    leaving = [one for one in found if one.is_to_be_sent]
    try:
        grant = limiter().ask(wanted(leaving), limit=share_of_sends()) if leaving else NOTHING
    except LimiterError as error:
        logger.warning("outbox.no_limiter", error=type(error).__name__)
        grant = NOTHING
    closed = _close([one.id for one in found if not one.is_to_be_sent])
    planned = requests(leaving, grant.numbers)
    calls, claimed = _claim(grant, planned) if planned else ([], 0)
    if grant.granted < len(leaving) and 0 < grant.retry_after_s < POLL_S:
        calls.append(partial(_look_again_in, grant.retry_after_s))
    _Process.may_wait = found[0].queued > claimed + closed
    left_out = found[0].queued > MAX_BATCH or claimed < sum(len(request.ids) for request in planned)
    return Found(calls, claimed + closed, more=closed > 0 or (claimed > 0 and left_out))


def _look_again() -> None:
    """A room may be free."""
    if _Process.may_wait:
        _pump.ring()


def _look_again_in(seconds: float) -> None:
    """There is room in the request limit before the next poll: do not leave it unused until then."""
    if _waiting.acquire(blocking=False):
        try:
            time.sleep(seconds)
        finally:
            _waiting.release()
        _pump.ring()


def _close(ids: list[UUID]) -> int:
    if not ids:
        return 0
    with tx():
        return len(close(ids))


def _claim(grant: Grant, planned: Sequence[Request]) -> tuple[list[Callable[[], None]], int]:
    reach("outbox.before_claim")
    not_after = time.monotonic() + FREEZE_S
    with borrowed():
        ids = [id_ for request in planned for id_ in request.ids]
        changed = claim(process_name(), ids, _outcomes.answered())
    claimed = {command.id: command for command in changed}
    calls: list[Callable[[], None]] = []
    unused: list[int] = []
    for request in planned:
        commands = [claimed[id_] for id_ in request.ids if id_ in claimed]
        if commands:
            calls.append(partial(_deliver, commands, _Leave(grant, request.number, not_after)))
        else:
            unused.append(request.number)
    _give_back(grant, unused)
    if claimed:
        reach("outbox.after_mark")
    _outcomes.expect(len(calls))
    return calls, len(changed)


def _give_back(grant: Grant, unused: Sequence[int]) -> None:
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

    def use(self, robot: Credentials) -> None:
        limiter().starts(self.grant, self.number)


def _deliver(commands: Sequence[Changed], leave: _Leave) -> None:
    try:
        outcomes = _call(commands, leave)
    except BaseException:
        _outcomes.expect(-1)
        raise
    for command, outcome in zip(commands, outcomes, strict=True):
        logger.info(
            "outbox.called",
            command=str(command.id),
            runId=str(command.run_id or ""),
            outcome=outcome.state,
            error=outcome.error_reason or "",
            **({"shared": len(commands)} if len(commands) > 1 else {}),
        )
    _outcomes.put(commands, outcomes)


def _call(commands: Sequence[Changed], leave: _Leave) -> list[Change]:
    """Make the call; returns what it means for each of its commands, which are all of one robot."""
    if any(command.kind == files.PUSH_FILE for command in commands) and (problem := files.unreachable()):
        return [_without_files(command, problem) for command in commands]
    try:
        robot = robots_by_id()[commands[0].robot_id]
        if any(switches.is_stopped(command.robot_id, command.kind, command.target) for command in commands):
            raise NotSent(switches.what_stopped())
        payloads = [command.payload for command in commands]
        platform_id = platform(leave.use).send_raw_message(robot, payloads, not_after=leave.not_after)
    except (NotSent, LimiterError, Throttled) as error:
        return [_again(command, str(error)) for command in commands]
    except Rejected as error:
        return _refused(commands, error)
    except NoCredentials as error:
        return [_own(command, CommandState.FAILED, str(error)) for command in commands]
    except Unknown as error:
        return [_own(command, CommandState.UNKNOWN, str(error)) for command in commands]
    reach("outbox.after_answer")
    moment = clock.now()
    return [
        replace(_own(command, CommandState.ACCEPTED), platform_id=platform_id, accepted_at=moment)
        for command in commands
    ]


def _refused(commands: Sequence[Changed], error: Rejected) -> list[Change]:
    """One bad command spoils a whole request: those that shared it are tried again, each alone."""
    if len(commands) > 1:
        return [_again(command, _told(error)) for command in commands]
    return [replace(_own(command, CommandState.FAILED, _told(error)), error_code=error.code) for command in commands]


def _without_files(command: Changed, problem: str) -> Change:
    """Nobody could fetch the file: it is not sent at all, and what shared the request is tried again without it."""
    is_file = command.kind == files.PUSH_FILE
    return _own(command, CommandState.FAILED, problem) if is_file else _again(command, problem)


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


@lru_cache(maxsize=1)
def _token(pid: int) -> str:
    return secrets.token_hex(4)


def process_name() -> str:
    """Return a name of this process that no other one has or will have."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_token(pid)}"[:80]


_waiting = threading.Lock()
_pump = Pump(_round, lambda: turn_of(process_name(), settings.REDIS_BROKER_URL, settings.REDIS_PREFIX), TICK_S)
_outcomes = Outcomes(_look_again)
