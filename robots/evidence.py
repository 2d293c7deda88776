"""Judges whether the platform accepted commands whose call ended without an answer. Pure: rows in, verdicts out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from robots.client import RanRow, SentRow
from robots.content import ContentKey, content_key

__all__ = ["Call", "Seen", "judge", "seen_at_platform"]


_UNDATED = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of ours that ended unknown: when it was made, and what it said."""

    command_id: UUID
    at: datetime
    key: ContentKey | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A command that the platform knows of; ``ran`` when it has been executed too."""

    message_id: str
    at: datetime | None
    key: ContentKey
    ran: RanRow | None = None


def seen_at_platform(sent: Iterable[SentRow], ran: Iterable[RanRow]) -> list[Seen]:
    """Join both lists, newest first and dated to the second: one entry per messageId and content, oldest first."""
    found: dict[tuple[str, ContentKey], Seen] = {}
    for row in sent:
        for command in row.commands:
            if row.message_id and (key := content_key(command)):
                found.setdefault((row.message_id, key), Seen(row.message_id, row.at, key))
    for run in ran:
        if run.message_id and (key := content_key(run.command)):
            known = found.get((run.message_id, key)) or Seen(run.message_id, run.at, key)
            found[run.message_id, key] = replace(known, ran=run)
    as_listed = reversed(found.values())  # what is of one second keeps its order
    return sorted(as_listed, key=lambda seen: seen.at or _UNDATED)


def judge(calls: Sequence[Call], seen: Sequence[Seen], skew: timedelta) -> dict[UUID, list[Seen]]:
    """Return, for each call, the platform's commands that may be it: none, the one, or several (undecidable).

    ``seen`` must not hold what other commands of ours already own. Each entry is used up by the call that it is
    given to. ``skew`` is how far the platform's clock may be off: generous, because overlooking a command that was
    accepted would say it twice, while finding a stranger's equal one only asks an operator.
    """
    open_calls: defaultdict[ContentKey | None, list[Call]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.at):
        open_calls[call.key].append(call)
    verdicts: dict[UUID, list[Seen]] = {}
    for key, equal_calls in open_calls.items():
        verdicts |= _assign(equal_calls, [one for one in seen if one.key == key], skew)
    return verdicts


def _assign(calls: Sequence[Call], seen: list[Seen], skew: timedelta) -> dict[UUID, list[Seen]]:
    """Give equal rows to equal calls in order; more rows than calls cannot be told apart."""
    verdicts: dict[UUID, list[Seen]] = {}
    for position, call in enumerate(calls):
        matches = [one for one in seen if one.at is None or one.at >= call.at - skew]
        if matches and len(matches) <= len(calls) - position:
            matches = matches[:1]
            seen.remove(matches[0])
        verdicts[call.command_id] = matches
    return verdicts
