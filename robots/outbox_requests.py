"""Which commands share a request. Pure: candidates and leave in, requests out.

One command per request, so that one messageId means one command. Only when more waits than there is leave for, the
last request of a robot takes along what would be left behind: at most :data:`MOST` commands, no two of them equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from robots.limiter import Wanted
from robots.outbox_claim import Candidate

__all__ = ["MOST", "Request", "requests", "wanted"]

#: Commands that the platform takes in one request (worktool-api.md §4.4).
MOST = 100
#: Texts and files are told apart in a shared result; what does a deed, or is to come first, goes alone.
SHARING = frozenset({203, 218})


@dataclass(slots=True)
class Request:
    """One request to be made, with the number of its leave."""

    number: int
    ids: list[UUID] = field(default_factory=list)


def wanted(candidates: Iterable[Candidate]) -> list[Wanted]:
    """Return the requests that these commands want, each for itself."""
    return [Wanted(one.is_control, one.robot_id, one.robot_limit) for one in candidates]


def requests(candidates: Sequence[Candidate], granted: Collection[int]) -> list[Request]:
    """Return the requests to be made with leave for these of the candidates (numbers from 1)."""
    leaving = {number: Request(number, [candidates[number - 1].id]) for number in granted}
    last = {
        candidates[number - 1].robot_id: request
        for number, request in sorted(leaving.items())
        if _may_share(candidates[number - 1])
    }
    said = {(one.robot_id, one.fingerprint) for number in granted for one in [candidates[number - 1]]}
    for number, one in enumerate(candidates, start=1):
        request = last.get(one.robot_id)
        if number in leaving or request is None or not _may_share(one):
            continue
        if len(request.ids) < MOST and (one.robot_id, one.fingerprint) not in said:
            said.add((one.robot_id, one.fingerprint))
            request.ids.append(one.id)
    return list(leaving.values())


def _may_share(candidate: Candidate) -> bool:
    """One that was refused, or never got through, is tried alone: it might be what spoils a whole request."""
    return candidate.kind in SHARING and not candidate.is_control and not candidate.attempts
