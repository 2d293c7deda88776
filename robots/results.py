"""Results of commands: matched to what we sent, kept when they come before we know whose they are.

The platform posts a result once and never again; several commands of one request share one messageId; the id inside
``rawMsg`` may differ from the outer one (worktool-api.md §3.3).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from robots.content import ContentKey, content_key
from robots.error_codes import describe
from robots.inbound.parse import ParsedResult
from robots.models import Command, CommandResult, CommandState
from robots.transitions import Change, Changed, apply
from worktool_ai.lib import clock

__all__ = ["adopt", "adopt_strays", "outcome_of", "record"]

#: Where the race between an answer and its result is looked for; after it, the slow query decides.
STRAY_AGE = timedelta(minutes=10)
#: A result ends commands in these: that a command was executed is better evidence than that it was to be cancelled.
AWAITED = (CommandState.ACCEPTED, CommandState.WITHDRAWN_UNCONFIRMED)


@dataclass(frozen=True, slots=True)
class _Result:
    """What matching and judging need of a result, from a callback, a query or a stored orphan."""

    robot_id: UUID
    ids: tuple[str, ...]
    key: ContentKey | None
    error_code: int
    error_reason: str
    success_list: Sequence[str]
    fail_list: Sequence[str]

    def ending(self, command: Command) -> Change:
        return Change(
            id=command.pk,
            was=AWAITED,
            state=outcome_of(self.error_code, self.success_list, self.fail_list),
            error_code=self.error_code,
            error_reason=self.error_reason,
        )


def record(results: Sequence[ParsedResult]) -> None:
    """Store results and end their commands, in the caller's transaction. Unmatched ones are kept as orphans."""
    seen = [_from_callback(result) for result in results]
    commands = _match(seen)
    rows = [_stored(result, match.command) for result, match in zip(results, commands, strict=True)]
    CommandResult.objects.bulk_create(rows, ignore_conflicts=True)  # a callback that is delivered again
    apply([one.ending(match.command) for one, match in zip(seen, commands, strict=True) if match.ends_it])


def adopt(accepted: Iterable[Changed]) -> None:
    """End commands that have just been accepted and whose results were here first."""
    ids = {command.platform_id for command in accepted if command.platform_id}
    if ids:
        _adopt(CommandResult.objects.filter(Q(platform_id__in=ids) | Q(inner_id__in=ids), command=None))


def adopt_strays() -> None:
    """End commands whose answer and result were committed in the same instant, neither seeing the other."""
    since = clock.now() - STRAY_AGE
    waiting = Command.objects.filter(state=CommandState.ACCEPTED, accepted_at__gt=since).exclude(platform_id="")
    orphans = CommandResult.objects.filter(command=None, received_at__gt=since)
    _adopt(orphans.filter(platform_id__in=waiting.values("platform_id")))


def outcome_of(error_code: int, success_list: Sequence[str], fail_list: Sequence[str]) -> CommandState:
    """Return the state in which a result ends its command.

    A non-empty ``fail_list`` is partial even with code 0, and with another code when somebody was reached.
    """
    if fail_list and (error_code == 0 or success_list):
        return CommandState.PARTIAL
    return CommandState.DONE if describe(error_code).counts_as_done else CommandState.FAILED


def _adopt(orphans: Any) -> None:
    rows = list(orphans.order_by("received_at", "id"))
    if not rows:
        return
    seen = [_from_row(row) for row in rows]
    matches = _match(seen)
    for row, match in zip(rows, matches, strict=True):
        row.command = match.command
    CommandResult.objects.bulk_update([row for row in rows if row.command], ["command"])
    apply([one.ending(match.command) for one, match in zip(seen, matches, strict=True) if match.ends_it])


# -- whose result is it? -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Match:
    """``ends_it`` is false for an orphan and for a repeated result: both are stored, neither changes anything."""

    command: Any = None
    ends_it: bool = False


class _Candidates:
    """The commands under one platform id, and which of them have got their result."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self._ended: set[UUID] = set()

    def take(self, key: ContentKey | None) -> _Match:
        alike = [command for command in self.commands if key is not None and content_key(command.payload) == key]
        # A careless rawMsg must not lose the result: without an equal command the order decides.
        pool = alike or self.commands
        for command in pool:
            if command.state in AWAITED and command.pk not in self._ended:
                self._ended.add(command.pk)
                return _Match(command, ends_it=True)
        return _Match(pool[0])


def _match(results: Sequence[_Result]) -> list[_Match]:
    by_id = _candidates(results)
    nameless = _nameless(results, by_id)
    return [_take(result, by_id, nameless) for result in results]


def _candidates(results: Sequence[_Result]) -> Mapping[tuple[UUID, str], _Candidates]:
    ids = {id_ for result in results for id_ in result.ids}
    found: defaultdict[tuple[UUID, str], _Candidates] = defaultdict(_Candidates)
    if ids:
        for command in Command.objects.filter(platform_id__in=ids).order_by("seq"):
            found[command.robot_id, command.platform_id].commands.append(command)
    return dict(found)


def _nameless(
    results: Sequence[_Result], by_id: Mapping[tuple[UUID, str], _Candidates]
) -> Mapping[tuple[UUID, ContentKey | None], _Candidates]:
    """Return commands that the platform accepted without giving an id, by content, for results that match no id."""
    robots = {r.robot_id for r in results if not any((r.robot_id, id_) in by_id for id_ in r.ids)}
    found: defaultdict[tuple[UUID, ContentKey | None], _Candidates] = defaultdict(_Candidates)
    waiting = Command.objects.filter(state=CommandState.ACCEPTED, accepted_at__isnull=False, platform_id="")
    for command in waiting.filter(robot__in=robots).order_by("seq") if robots else ():
        found[command.robot_id, content_key(command.payload)].commands.append(command)
    return dict(found)


def _take(
    result: _Result,
    by_id: Mapping[tuple[UUID, str], _Candidates],
    nameless: Mapping[tuple[UUID, ContentKey | None], _Candidates],
) -> _Match:
    for id_ in result.ids:
        if candidates := by_id.get((result.robot_id, id_)):
            return candidates.take(result.key)
    if result.key is not None and (candidates := nameless.get((result.robot_id, result.key))):
        return candidates.take(result.key)
    return _Match()


# -- shapes ------------------------------------------------------------------------------------------------------------


def _from_callback(result: ParsedResult) -> _Result:
    return _Result(
        robot_id=result.robot_id,
        ids=_ids(result.platform_id, result.inner_id),
        key=content_key(result.raw_message),
        error_code=result.error_code,
        error_reason=result.error_reason,
        success_list=result.success_list,
        fail_list=result.fail_list,
    )


def _from_row(row: CommandResult) -> _Result:
    return _Result(
        robot_id=row.robot_id,
        ids=_ids(row.platform_id, row.inner_id),
        key=content_key(_raw_message(row.raw)),
        error_code=row.error_code,
        error_reason=row.error_reason,
        success_list=row.success_list,
        fail_list=row.fail_list,
    )


def _ids(*ids: str) -> tuple[str, ...]:
    """Outer id first, the inner one as a fallback."""
    return tuple(dict.fromkeys(id_ for id_ in ids if id_))


def _raw_message(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        message = json.loads(raw.get("rawMsg") or "")
    except (TypeError, ValueError):
        return {}
    return message if isinstance(message, dict) else {}


def _stored(result: ParsedResult, command: Command | None) -> CommandResult:
    return CommandResult(
        id=result.id,
        robot_id=result.robot_id,
        command=command,
        platform_id=result.platform_id,
        inner_id=result.inner_id,
        kind=result.kind,
        error_code=result.error_code,
        error_reason=result.error_reason[:500],
        success_list=list(result.success_list),
        fail_list=list(result.fail_list),
        run_time=result.run_time,
        time_cost=result.time_cost,
        raw=result.raw,
        received_at=result.received_at,
    )
