"""Judges a failure run by what was said and by the platform's ledger alone: data in, verdict out.

Each line carries a marker that its answer repeats. Every line said is exactly one of

* answered: the phone has executed an answer with its marker;
* open: not answered, and something that was injected kept it from us (a callback that the platform lost, or that it
  could not post because what the door needs was down);
* unknown: not answered though sent, and something that was injected removed the evidence of how the call ended;
* lost: not answered for no reason of ours to accept.

Answered lines can besides be doubled or disordered.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, pairwise
from typing import Any

__all__ = ["Disturbance", "Finding", "Said", "Send", "Verdict", "judge", "recovery_s", "sends_of"]

MARKER = re.compile(r"#m\d+")
SEND_PATH = "/wework/sendRawMessage"
#: Without these the door cannot take a callback.
DOOR_NEEDS = frozenset({"web", "redis", "postgres", "everything"})
#: Faults that delay a message callback: the order in which such lines were said is not the order in which they came.
REORDERING = frozenset({"callback_delay", "callback_reorder"})
#: Faults after which we cannot know how a call ended.
SILENCING = frozenset({"timeout_before", "timeout_after", "http_status", "hold_before_accept", "hold_after_accept"})
#: How late a delayed callback comes at most, and how long the platform waits for the door.
LATE_S = 15.0
#: A call is given up after so long; a kill later than that cannot have removed its evidence.
CALL_S = 15.0


@dataclass(frozen=True, slots=True)
class Said:
    """A line said at the platform. ``chat`` is the room or, in private, the person; times are epoch seconds.

    ``delivered``: the door answered 200 within the platform's patience. ``faults`` are the kinds drawn for it.
    """

    marker: str
    chat: str
    sender: str
    at: float
    delivered: bool = True
    faults: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Send:
    """A command of ours at the platform: ``seq`` orders arrival, ``message_id`` (None: never accepted) acceptance.

    ``status`` is None as long as the call was not answered; ``results`` counts the posted result callbacks.
    """

    seq: int
    at: float
    chat: str
    markers: tuple[str, ...]
    status: int | None
    message_id: int | None
    executed: tuple[float, ...] = ()
    results: int = 0

    @property
    def is_held(self) -> bool:
        """Whether the platform has it and we have not yet got its answer, or not its result."""
        return self.status is None or (self.message_id is not None and not self.results)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A kill or stop of ``role`` from ``at`` until ``until``, when answers came again (epoch seconds)."""

    role: str
    how: str
    at: float
    until: float

    def overlaps(self, begin: float, end: float) -> bool:
        return self.at <= end and self.until >= begin

    def __str__(self) -> str:
        moment = datetime.fromtimestamp(self.at).strftime("%H:%M:%S")
        return f"{self.role} {self.how} at {moment} for {self.until - self.at:.1f} s"


@dataclass(frozen=True, slots=True)
class Finding:
    """A line and what there is to say about it."""

    line: Said
    why: str


@dataclass
class Verdict:
    """``stray`` are answers without a marker, or with one that nobody said: whose they are is not known."""

    said: int = 0
    answered: int = 0
    open: list[Finding] = field(default_factory=list)
    unknown: list[Finding] = field(default_factory=list)
    lost: list[Finding] = field(default_factory=list)
    doubled: list[Finding] = field(default_factory=list)
    disordered: list[Finding] = field(default_factory=list)
    stray: list[Send] = field(default_factory=list)


# -- reading the ledger ------------------------------------------------------------------------------------------------


def sends_of(entries: Iterable[Mapping[str, Any]]) -> list[Send]:
    """Read the sends out of the ledger, one per command."""
    sends = [entry for entry in entries if entry["path"] == SEND_PATH]
    return [_send(entry, index, command) for entry in sends for index, command in enumerate(entry["commands"])]


def _send(entry: Mapping[str, Any], index: int, command: Mapping[str, Any]) -> Send:
    done = [run for run in entry["executions"] if run["index"] == index and run["errorCode"] == 0]
    return Send(
        seq=entry["seq"],
        at=_instant(entry["at"]),
        chat=next(iter(command.get("titleList") or ()), ""),
        markers=tuple(dict.fromkeys(MARKER.findall(str(command.get("receivedContent", ""))))),
        status=entry["status"],
        message_id=int(entry["messageId"]) if entry["messageId"] else None,
        executed=tuple(_instant(run["at"]) for run in done),
        results=len(entry["results"]),
    )


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# -- judging -----------------------------------------------------------------------------------------------------------


def judge(said: Sequence[Said], sends: Sequence[Send], disturbances: Sequence[Disturbance]) -> Verdict:
    """Judge every line. ``disturbances`` explain only what they can explain: see :func:`_cause`."""
    by_marker: defaultdict[str, list[Send]] = defaultdict(list)
    for send in sends:
        for marker in send.markers:
            by_marker[marker].append(send)
    verdict = Verdict(said=len(said))
    for line in said:
        _judge_line(line, by_marker[line.marker], disturbances, verdict)
    verdict.disordered = [*_overtaken_answers(said, by_marker), *_overtaken_commands(said, sends)]
    known = {line.marker for line in said}
    verdict.stray = [send for send in sends if send.executed and not known.intersection(send.markers)]
    return verdict


def _judge_line(line: Said, sends: Sequence[Send], disturbances: Sequence[Disturbance], verdict: Verdict) -> None:
    executed = _executions(sends)
    if executed:
        verdict.answered += 1
        allowed = 2 if "execute_twice" in line.faults else 1
        if len(executed) > allowed:
            verdict.doubled.append(Finding(line, f"executed {len(executed)} times: {_clocks(executed)}"))
        return
    cause = _cause(line, sends, disturbances)
    if cause is None:
        verdict.lost.append(Finding(line, f"sent {len(sends)} times, never executed" if sends else "never sent"))
    else:
        (verdict.unknown if sends else verdict.open).append(Finding(line, cause))


def _cause(line: Said, sends: Sequence[Send], disturbances: Sequence[Disturbance]) -> str | None:
    """Return what was injected and can explain that a line has no answer."""
    return _cause_of_silence(line, sends, disturbances) if sends else _cause_of_absence(line, disturbances)


def _cause_of_silence(line: Said, sends: Sequence[Send], disturbances: Sequence[Disturbance]) -> str | None:
    unanswered = [send for send in sends if send.status is None or send.status >= 500]
    if not unanswered:
        return None
    drawn = sorted(line.faults & SILENCING)
    if drawn:
        return drawn[0]
    near = (kill for kill in disturbances for send in unanswered if kill.overlaps(send.at, send.at + CALL_S))
    return next(map(str, near), None)


def _cause_of_absence(line: Said, disturbances: Sequence[Disturbance]) -> str | None:
    if "callback_loss" in line.faults:
        return "callback_loss"
    if line.delivered:
        return None
    until = line.at + LATE_S if line.faults & REORDERING else line.at
    near = (kill for kill in disturbances if kill.role in DOOR_NEEDS and kill.overlaps(line.at, until))
    return next((f"not delivered: {kill}" for kill in near), None)


def _overtaken_answers(said: Sequence[Said], by_marker: Mapping[str, Sequence[Send]]) -> list[Finding]:
    """Find lines of one person in one chat that were answered after a line said later.

    Only lines count of which it is known that they came in the order in which they were said.
    """
    people: defaultdict[tuple[str, str], list[Said]] = defaultdict(list)
    for line in sorted(said, key=lambda line: line.at):
        if line.delivered and not line.faults & REORDERING and _executions(by_marker[line.marker]):
            people[line.chat, line.sender].append(line)
    return list(chain.from_iterable(_overtaken(lines, by_marker) for lines in people.values()))


def _overtaken(lines: Sequence[Said], by_marker: Mapping[str, Sequence[Send]]) -> list[Finding]:
    found: list[Finding] = []
    earliest, overtaker = float("inf"), ""
    for line in reversed(lines):
        answered = _executions(by_marker[line.marker])[0]
        if answered > earliest:
            found.append(Finding(line, f"answered {_clocks([answered])}, after {overtaker} ({_clocks([earliest])})"))
        else:
            earliest, overtaker = answered, line.marker
    return found[::-1]


def _overtaken_commands(said: Sequence[Said], sends: Sequence[Send]) -> list[Finding]:
    """Find commands of one chat that came to the platform earlier but were accepted or executed later than another."""
    lines = {line.marker: line for line in said}
    chats: defaultdict[str, list[Send]] = defaultdict(list)
    for send in sorted(sends, key=lambda send: send.seq):
        if send.message_id is not None and send.executed:
            chats[send.chat].append(send)
    return [
        Finding(lines[earlier.markers[0]], f"command {earlier.seq} was overtaken by {later.seq} in {later.chat}")
        for queue in chats.values()
        for earlier, later in pairwise(queue)
        if _is_overtaken(earlier, later) and earlier.markers and earlier.markers[0] in lines
    ]


def _is_overtaken(earlier: Send, later: Send) -> bool:
    accepted = (earlier.message_id or 0) > (later.message_id or 0)
    return accepted or earlier.executed[0] > later.executed[0]


def _executions(sends: Iterable[Send]) -> list[float]:
    return sorted(chain.from_iterable(send.executed for send in sends))


def _clocks(moments: Iterable[float]) -> str:
    return ", ".join(datetime.fromtimestamp(moment).strftime("%H:%M:%S.%f")[:-3] for moment in moments)


# -- recovery ----------------------------------------------------------------------------------------------------------


def recovery_s(
    since: float, said: Iterable[Said], sends: Sequence[Send], *, killed_at: float, asked_since: float
) -> float | None:
    """Return the seconds from ``since`` to the next answer to a line said after ``asked_since``; None: none yet.

    After the kill of one process only lines said since then count: an answer to an earlier one could have been on its
    way already. Chats with a call that was not answered before the kill do not count either: there a command waits for
    its reconciliation.
    """
    waiting = {send.chat for send in sends if send.message_id is None and send.at < killed_at}
    asked = {line.marker for line in said if line.at >= asked_since and line.chat not in waiting}
    told = [moment for send in sends if asked.intersection(send.markers) for moment in send.executed if moment >= since]
    return min(told) - since if told else None
