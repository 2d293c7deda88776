"""Taking work: a claim, and in its transaction what can be finished at once.

A run that comes back with the result it waited for mostly has nothing left to do but to be closed. That takes no model,
no phone and no more than a moment, so it is walked and written where it is claimed: one commit in place of two.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from django.db import DataError, IntegrityError

from flows.engine import claims, runner, store
from flows.engine.claims import HeadRun
from worktool_ai.lib.db import prepared_cursor, tx

__all__ = ["Taken", "take"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """How many conversations were claimed, and the runs that are still to be walked."""

    claimed: int
    heads: list[HeadRun]


def take(count: int) -> Taken:
    """Claim up to ``count`` due conversations; close those runs that only had to be closed."""
    try:
        return _take(count, closes=True)
    except (DataError, IntegrityError) as error:
        # one of them cannot be written and would stand in the way of the others for ever: each by itself, then
        log.warning("engine.not_closed_together", error=type(error).__name__)
        return _take(count, closes=False)


def _take(count: int, *, closes: bool) -> Taken:
    with tx(), prepared_cursor() as cursor:
        claimed, heads = claims.claim_heads(cursor, count)
        closed = [progress for head in heads if (progress := runner.close(head))] if closes else []
        held = store.write_within(cursor, closed)
    claims.give_back_idle(claimed, heads)
    done = {progress.claim for progress in closed}
    behind = claims.head_runs([claim for claim, queued in held.items() if queued])
    return Taken(len(claimed), [*(head for head in heads if head.claim not in done), *behind])
