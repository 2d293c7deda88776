"""Results of commands: matched to what we sent, kept when they come before we know whose they are.

The platform posts a result once and never again; several commands of one request share one messageId; the id inside
``rawMsg`` may differ from the outer one (worktool-api.md §3.3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from robots import result_rows
from robots.content import ContentKey, content_key
from robots.error_codes import describe
from robots.inbound.parse import ParsedResult
from robots.models import CommandState
from robots.result_rows import OrphanRow, SentCommand
from robots.transitions import Change, Changed, apply
from worktool_ai.lib import clock
from worktool_ai.lib.db import borrowed, tx

__all__ = ["adopt", "adopt_early", "adopt_strays", "outcome_of", "record"]

#: Where the race between an answer and its result is looked for; after it, the slow query decides.
STRAY_AGE = timedelta(minutes=10)
#: A result ends commands in these: that a command was executed is better evidence than that it was to be cancelled.
AWAITED = (CommandState.ACCEPTED, CommandState.WITHDRAWN_UNCONFIRMED)


_Row = TypeVar("_Row", ParsedResult, OrphanRow)


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

    def ending(self, command: SentCommand) -> Change:
        return Change(
            id=command.id,
            was=AWAITED,
            state=outcome_of(self.error_code, self.success_list, self.fail_list),
            error_code=self.error_code,
            error_reason=self.error_reason,
        )


def record(results: Sequence[ParsedResult]) -> int:
    """Store results and end their commands, in the caller's transaction; returns how many were not known before.

    Unmatched ones are kept as orphans; a callback that is delivered again changes nothing.
    """
    once = list({result.id: result for result in results}.values())
    matched = [
        (result, seen, match) for result, (seen, match) in zip(once, _matched(_from_callback, once), strict=True)
    ]
    new = result_rows.insert_results([(result, match.command_id) for result, _seen, match in matched])
    _end((seen, match) for result, seen, match in matched if result.id in new)
    return len(new)


def adopt(accepted: Iterable[Changed]) -> None:
    """End commands that have just been accepted and whose results were here first."""
    ids = {command.platform_id for command in accepted if command.platform_id}
    if ids:
        _adopt(result_rows.orphans_of(ids))


def adopt_early(platform_ids: Collection[str]) -> None:
    """The same for these ids, in a transaction of its own, and only where there are any."""
    with borrowed():
        orphans = result_rows.orphans_of(platform_ids)
    if orphans:
        with tx():
            _adopt(orphans)


def adopt_strays() -> None:
    """End commands whose answer and result were committed in the same instant, neither seeing the other."""
    _adopt(result_rows.strays(clock.now() - STRAY_AGE))


def outcome_of(error_code: int, success_list: Sequence[str], fail_list: Sequence[str]) -> CommandState:
    """Return the state in which a result ends its command.

    A non-empty ``fail_list`` is partial even with code 0, and with another code when somebody was reached.
    """
    if fail_list and (error_code == 0 or success_list):
        return CommandState.PARTIAL
    return CommandState.DONE if describe(error_code).counts_as_done else CommandState.FAILED


def _adopt(orphans: Sequence[OrphanRow]) -> None:
    if not orphans:
        return
    matched = _matched(_from_row, orphans)
    found = zip(orphans, matched, strict=True)
    result_rows.link({row.id: match.command.id for row, (_seen, match) in found if match.command})
    _end(matched)


def _end(matched: Iterable[tuple[_Result, _Match]]) -> None:
    apply([seen.ending(match.command) for seen, match in matched if match.command and match.ends_it])


# -- whose result is it? -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Match:
    """``ends_it`` is false for an orphan and for a repeated result: both are stored, neither changes anything."""

    command: SentCommand | None = None
    ends_it: bool = False

    @property
    def command_id(self) -> UUID | None:
        return self.command.id if self.command else None


class _Candidates:
    """The commands under one platform id, and which of them have got their result."""

    def __init__(self) -> None:
        self.commands: list[SentCommand] = []
        self._ended: set[UUID] = set()

    def take(self, key: ContentKey | None) -> _Match:
        pool = self._alike(key)
        for command in pool:
            if command.state in AWAITED and command.id not in self._ended:
                self._ended.add(command.id)
                return _Match(command, ends_it=True)
        return _Match(pool[0])

    def _alike(self, key: ContentKey | None) -> list[SentCommand]:
        """A careless rawMsg must not lose the result: without an equal command the order decides."""
        if len(self.commands) == 1:
            return self.commands
        return [command for command in self.commands if key is not None and command.key == key] or self.commands


def _matched(read: Callable[[_Row], _Result], rows: Sequence[_Row]) -> list[tuple[_Result, _Match]]:
    """Return what each row says, and whose result it is."""
    results = [read(row) for row in rows]
    by_id = _candidates(results)
    nameless = _nameless(results, by_id)
    return [(result, _take(result, by_id, nameless)) for result in results]


def _candidates(results: Sequence[_Result]) -> Mapping[tuple[UUID, str], _Candidates]:
    ids = {id_ for result in results for id_ in result.ids}
    found: defaultdict[tuple[UUID, str], _Candidates] = defaultdict(_Candidates)
    for command in result_rows.sent_as(ids) if ids else ():
        found[command.robot_id, command.platform_id].commands.append(command)
    return dict(found)


def _nameless(
    results: Sequence[_Result], by_id: Mapping[tuple[UUID, str], _Candidates]
) -> Mapping[tuple[UUID, ContentKey | None], _Candidates]:
    """Return commands that the platform accepted without giving an id, by content, for results that match no id."""
    robots = {r.robot_id for r in results if not any((r.robot_id, id_) in by_id for id_ in r.ids)}
    found: defaultdict[tuple[UUID, ContentKey | None], _Candidates] = defaultdict(_Candidates)
    for command in result_rows.nameless(robots) if robots else ():
        found[command.robot_id, command.key].commands.append(command)
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


def _from_row(row: OrphanRow) -> _Result:
    return _Result(
        robot_id=row.robot_id,
        ids=_ids(row.platform_id, row.inner_id),
        key=content_key(row.raw_message),
        error_code=row.error_code,
        error_reason=row.error_reason,
        success_list=row.success_list,
        fail_list=row.fail_list,
    )


def _ids(*ids: str) -> tuple[str, ...]:
    """Outer id first, the inner one as a fallback."""
    return tuple(dict.fromkeys(id_ for id_ in ids if id_))
