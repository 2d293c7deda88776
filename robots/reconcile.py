"""Finding out what became of calls that ended without an answer, by asking the platform. Never by sending again.

A command whose call ended unknown is looked for among what the platform says was sent and ran. Exactly one match is
adopted. None in two complete looks, the second more than a minute after the call, means not accepted: it is sent once
more if it is still fresh and its room has not moved on. Anything else stays unknown, with its evidence, for an
operator.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from operator import methodcaller
from typing import Any
from uuid import UUID

from django.conf import settings

from robots import resend, results
from robots.caches import RobotSnapshot, robots_by_id
from robots.client import Client, RanRow, SentRow, WorkToolError, platform
from robots.content import content_key
from robots.evidence import Call, Seen, judge, seen_at_platform
from robots.inbound.parse import ParsedResult
from robots.limiter import LimiterError, limiter
from robots.models import Command, CommandState
from robots.models.commands import Decision
from robots.transitions import Change, apply
from worktool_ai.lib import clock
from worktool_ai.lib.db import borrowed, tx
from worktool_ai.lib.ids import uuid7
from worktool_ai.lib.logs import get_logger

__all__ = ["TIMES", "Times", "ask_for_results", "give_up_calls", "look_for_unknown", "run"]

logger = get_logger(__name__)

PAGE_SIZE = 100
#: A bound against a list without an end. A look ends where it reaches back far enough: at the platform's limit that is
#: seven pages for the oldest call that is looked for.
MAX_PAGES = 60
#: Results asked for one by one in one pass, where the newest page does not hold them.
MAX_SINGLY = 5
#: A pass that has not ended so long after it began was killed; the next one may begin.
PASS_S = 10.0


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds. ``process_gone_s`` is on top of the call's own time limit; ages count from the call.

    A robot is looked at once in ``look_spacing_s`` while something of it is unknown: so often that the second look at
    each command, at ``second_look_s`` or soon after, is over within 90 s, long before it gives its room free.
    """

    process_gone_s: float = 3.0
    first_look_s: float = 5.0
    second_look_s: float = 65.0
    look_every_s: float = 60.0
    look_until_s: float = 600.0
    look_spacing_s: float = 20.0
    skew_s: float = 120.0
    listed_after_s: float = 3.0
    result_after_s: float = 60.0
    result_every_s: float = 60.0
    result_until_s: float = 3600.0


TIMES = Times()


def run(times: Times = TIMES) -> None:
    """One pass; cheap when nothing is open. Safe to run in several processes at once."""
    with borrowed():
        give_up_calls(times)
        look_for_unknown(times)
        ask_for_results(times)


def give_up_calls(times: Times = TIMES) -> None:
    """Call unknown what is still being sent although no process can be waiting for its answer any more."""
    gone = clock.now() - timedelta(seconds=settings.WORKTOOL_TIMEOUT_S + times.process_gone_s)
    with tx():
        stuck = Command.objects.filter(state=CommandState.SENDING, sending_at__lt=gone).values_list("pk", flat=True)
        reason = "the process that sent it ended before it noted an answer"
        apply(
            [
                Change(id=pk, was=(CommandState.SENDING,), state=CommandState.UNKNOWN, error_reason=reason)
                for pk in stuck
            ]
        )


# -- was it accepted? --------------------------------------------------------------------------------------------------


def look_for_unknown(times: Times = TIMES) -> None:
    """Look for the unknown commands of every robot whose turn it is."""
    since = clock.now() - timedelta(seconds=times.look_until_s)
    unknown: defaultdict[UUID, list[Command]] = defaultdict(list)
    for command in Command.objects.filter(state=CommandState.UNKNOWN, sending_at__gt=since).order_by("sending_at"):
        unknown[command.robot_id].append(command)
    for robot_id, commands in unknown.items():
        due = [command for command in commands if _is_look_due(command, times)]
        if due:
            _paced(f"look:{robot_id}", times.look_spacing_s, partial(_look, robot_id, commands, times))


def _is_look_due(command: Command, times: Times) -> bool:
    age = _age(command)
    ages: list[float] = [look["age_s"] for look in _looks(command)]
    if not ages:
        return age >= times.first_look_s
    if ages[-1] < times.second_look_s:
        return age >= times.second_look_s
    return age - ages[-1] >= times.look_every_s


def _look(robot_id: UUID, commands: Sequence[Command], times: Times) -> None:
    robot = robots_by_id()[robot_id]
    commands = [command for command in commands if _age(command) >= times.first_look_s]
    since = min(_call_time(command) for command in commands) - timedelta(seconds=times.skew_s)
    looked_at = clock.now()
    sent, reaches_back = _everything_sent(robot, since)
    seen = seen_at_platform(sent, _asked(lambda api: api.raw_msg_list(robot, size=PAGE_SIZE)))
    complete = reaches_back and _is_readable(sent) and _lists_what_we_know(robot_id, since, looked_at, sent, times)
    free, skew = _unowned(robot_id, seen), timedelta(seconds=times.skew_s)
    verdicts = judge([_as_call(command) for command in commands], free, skew)
    # a row that somebody's word has given to another call is nobody's for certain: it neither proves nor disproves
    claimed = judge([_as_call(command) for command in [*_confirmed(robot_id, since - skew), *commands]], free, skew)
    for command in commands:
        contested = verdicts[command.pk] != claimed[command.pk]
        _decide(command, verdicts[command.pk], complete and not contested, times, contested)


def _as_call(command: Command) -> Call:
    return Call(command.pk, _call_time(command), content_key(command.payload))


def _confirmed(robot_id: UUID, since: datetime) -> list[Command]:
    """Return what somebody has seen in its room although no row was found for it: one of the rows may be its own."""
    by_word = Command.objects.filter(robot=robot_id, decision=Decision.SENT, platform_id="")
    return list(by_word.filter(sending_at__gt=since))


def _everything_sent(robot: RobotSnapshot, since: datetime) -> tuple[list[SentRow], bool]:
    """Return what was sent, newest first, and whether the list reaches back to ``since``."""
    rows: list[SentRow] = []
    for page in range(1, MAX_PAGES + 1):
        more = _asked(methodcaller("list_raw_message", robot, page=page, size=PAGE_SIZE))
        rows += more
        if len(more) < PAGE_SIZE or any(row.at and row.at < since for row in more):
            return rows, True
    return rows, False


def _is_readable(sent: Iterable[SentRow]) -> bool:
    """Tell whether every row says what was sent; one that does not might be the one that is looked for."""
    return all(row.commands for row in sent)


def _lists_what_we_know(
    robot_id: UUID, since: datetime, looked_at: datetime, sent: Iterable[SentRow], times: Times
) -> bool:
    """Tell whether the list holds every command that we know to be accepted: only then does absence say anything."""
    before = looked_at - timedelta(seconds=times.listed_after_s)
    known = Command.objects.filter(robot=robot_id, accepted_at__gt=since + timedelta(seconds=times.skew_s))
    ids = set(known.filter(accepted_at__lt=before).exclude(platform_id="").values_list("platform_id", flat=True))
    return ids <= {row.message_id for row in sent}


def _unowned(robot_id: UUID, seen: Sequence[Seen]) -> list[Seen]:
    """Several commands of one request share its messageId: each is owned for itself."""
    known = Command.objects.filter(robot=robot_id, platform_id__in={one.message_id for one in seen})
    owned = {(id_, content_key(payload)) for id_, payload in known.values_list("platform_id", "payload")}
    return [one for one in seen if (one.message_id, one.key) not in owned]


def _decide(command: Command, matches: Sequence[Seen], complete: bool, times: Times, contested: bool) -> None:
    evidence = [*command.evidence, _evidence(command, matches, complete)]
    command.evidence = evidence
    if len(matches) == 1 and not contested:
        _adopt(command, matches[0])
    elif not matches and _is_absent(command, times):
        with tx():
            resend.close_not_accepted(command.pk, evidence)
    else:
        Command.objects.filter(pk=command.pk, state=CommandState.UNKNOWN).update(evidence=evidence)


def _is_absent(command: Command, times: Times) -> bool:
    """None found in two complete looks, at the first and at the second moment."""
    empty = [look["age_s"] for look in _looks(command) if look["complete"] and not look["matches"]]
    found = any(look["matches"] for look in _looks(command))
    return not found and len(empty) >= 2 and bool(empty[-1] >= times.second_look_s)


def _adopt(command: Command, found: Seen) -> None:
    accepted = Change(
        id=command.pk,
        was=(CommandState.UNKNOWN,),
        state=CommandState.ACCEPTED,
        platform_id=found.message_id,
        accepted_at=clock.now(),
        error_reason="",
        evidence=command.evidence,
    )
    with tx():
        changed = apply([accepted])
        results.adopt(changed)
        still_open = Command.objects.filter(pk=command.pk, state=CommandState.ACCEPTED, platform_id=found.message_id)
        if found.ran and changed and still_open.exists():
            results.record([_as_result(command.robot_id, found.ran)])


def _evidence(command: Command, matches: Sequence[Seen], complete: bool) -> dict[str, Any]:
    """What was looked at, for the rule above and for the operator."""
    return {
        "at": clock.now().isoformat(),
        "age_s": round(_age(command), 1),
        "attempt": command.attempts,
        "complete": complete,
        "matches": [
            {"messageId": one.message_id, "at": one.at.isoformat() if one.at else None, "ran": one.ran is not None}
            for one in matches
        ],
    }


def _looks(command: Command) -> list[dict[str, Any]]:
    """Return the looks at the present attempt, oldest first."""
    return [look for look in command.evidence if look.get("attempt") == command.attempts]


def _call_time(command: Command) -> datetime:
    return command.sending_at or command.created_at


def _age(command: Command) -> float:
    return (clock.now() - _call_time(command)).total_seconds()


# -- how did it end? ---------------------------------------------------------------------------------------------------


def ask_for_results(times: Times = TIMES) -> None:
    """Ask for results whose callback did not come: it is posted once, and lost when nobody hears it."""
    now = clock.now()
    waiting: defaultdict[UUID, list[Command]] = defaultdict(list)
    for command in Command.objects.filter(
        state=CommandState.ACCEPTED,
        accepted_at__gt=now - timedelta(seconds=times.result_until_s),
        accepted_at__lt=now - timedelta(seconds=times.result_after_s),
    ).order_by("accepted_at"):
        waiting[command.robot_id].append(command)
    for robot_id, commands in waiting.items():
        _paced(f"results:{robot_id}", times.result_every_s, partial(_ask, robot_id, commands))


def _ask(robot_id: UUID, commands: Sequence[Command]) -> None:
    robot = robots_by_id()[robot_id]
    rows = _of_these(_asked(lambda api: api.raw_msg_list(robot, size=PAGE_SIZE)), commands)
    found = {row.message_id for row in rows}
    missing = [id_ for id_ in dict.fromkeys(command.platform_id for command in commands) if id_ and id_ not in found]
    for id_ in missing[:MAX_SINGLY]:
        rows += _asked(methodcaller("raw_msg_list", robot, message_id=id_))
    if rows:
        with tx():
            results.record([_as_result(robot_id, row) for row in rows])


def _of_these(rows: Iterable[RanRow], commands: Sequence[Command]) -> list[RanRow]:
    """Return the rows of these commands, oldest first; where the platform gave no id, content and time decide."""
    ids = {command.platform_id for command in commands}
    nameless = {content_key(command.payload): _call_time(command) for command in commands if not command.platform_id}

    def is_ours(row: RanRow) -> bool:
        since = nameless.get(content_key(row.command))
        return row.message_id in ids or (since is not None and row.at is not None and row.at >= since)

    return [row for row in rows if is_ours(row)][::-1]


def _as_result(robot_id: UUID, row: RanRow) -> ParsedResult:
    return ParsedResult(
        id=uuid7(),
        robot_id=robot_id,
        platform_id=row.message_id,
        inner_id=str(row.command.get("messageId") or ""),
        kind=row.kind,
        error_code=row.error_code,
        error_reason=row.error_reason,
        success_list=row.success_list,
        fail_list=row.fail_list,
        run_time=row.at,
        time_cost=row.time_cost,
        raw_message=row.command,
        raw=row.raw,
        received_at=clock.now(),
    )


# -- asking ------------------------------------------------------------------------------------------------------------


def _paced(name: str, every_s: float, ask: Callable[[], None]) -> None:
    """Ask unless somebody has just done so; what goes wrong, or is killed on the way, is asked again soon."""
    try:
        if limiter().once_per(name, min(PASS_S, every_s)):
            ask()
            limiter().not_before(name, every_s)
    except (WorkToolError, LimiterError) as error:
        logger.warning("reconcile.put_off", what=name.partition(":")[0], error=type(error).__name__, detail=str(error))


def _asked(query: Callable[[Client], list[Any]]) -> list[Any]:
    return query(platform())
