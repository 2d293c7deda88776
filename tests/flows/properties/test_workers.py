"""Workers whose leases expire in the middle of a walk, on the real database: whoever comes next takes over, nobody else
writes.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import IntegrityError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.engine import claims
from flows.engine.runner import LostLease, Walk
from flows.models import ConversationLease, Effect, Run, RunState, Step
from robots.models import Command
from tests.flows.conftest import run_of
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]

people = count()


@settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(1, 4), max_size=4))
def test_a_walk_that_is_taken_over_writes_nothing_more(say, suspended_at):
    """``suspended_at``: before which of its commits each worker hangs until its successor has ended."""
    line = say("如何退款？", sender=f"客户{next(people)}")
    lost = _walk(line, list(suspended_at))
    run = run_of(line)
    assert run.state == RunState.SETTLING
    assert lost == run.recoveries
    assert Command.objects.filter(run_id=run.pk).count() == 1
    ordinals = list(Step.objects.filter(run=run).order_by("ordinal").values_list("ordinal", flat=True))
    assert ordinals == list(range(len(ordinals)))
    assert not Effect.objects.filter(run=run, outcome=None).exclude(kind="wait_for").exists()


def _walk(line: Any, suspended_at: list[int]) -> int:
    """Claim and walk; hang where told, and let the next worker walk meanwhile. Returns how many lost their lease."""
    (claimed,) = [claim for claim in claims.claim(100) if claim.conversation_id == line.conversation_id]
    heads = claims.head_runs([claimed])
    if not heads:
        return 0
    walk = _Hanging(heads[0], line, suspended_at)
    try:
        walk.go()
    except LostLease:
        return walk.lost + 1
    return walk.lost


class _Hanging(Walk):
    """Hangs before one of its commits for longer than its lease. Every model's answer is stored at once."""

    def __init__(self, head: Any, line: Any, suspended_at: list[int]) -> None:
        super().__init__(head)
        self.line, self.rest, self.lost = line, suspended_at[1:], 0
        self.left = suspended_at[0] if suspended_at else 0

    def _take(self, request: Any, performed: Any) -> None:
        stored = Effect.objects.filter(
            run_id=self.head.run_id, node_id=request.key.node_id, ordinal=request.key.ordinal, outcome__isnull=False
        )
        assert self.head.outcomes.get(request.key) is None, "performed although its outcome was handed over"
        assert not (stored.exists() and not self.lost), "performed again although nobody else has walked since"
        performed.is_costly = True
        super()._take(request, performed)

    def _commit(self) -> int:
        self.left -= 1
        if self.left == 0:
            ConversationLease.objects.filter(pk=self.line.conversation_id).update(until=now() - timedelta(seconds=1))
            self.lost = _walk(self.line, self.rest)
        return super()._commit()


def test_runs_of_one_conversation_are_never_active_together(say):
    """The belt under the lease: a partial unique index."""
    lines = [say("如何退款？"), say("急")]
    Run.objects.filter(message_id=lines[0].message_id).update(state=RunState.ACTIVE)
    with pytest.raises(IntegrityError):
        Run.objects.filter(message_id=lines[1].message_id).update(state=RunState.ACTIVE)
