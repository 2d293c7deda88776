"""A long queue: the platform lets a command a second through, so hundreds may wait at a busy hour."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection, transaction

from robots import outbox_claim
from robots.models import Command, CommandState, Robot
from tests.robots.outbound.conftest import ago

ROOMS, QUEUED = 50, 1000

_INSERT = """
INSERT INTO robots_command (id, robot_id, node_id, kind, target, text, payload, priority, state, platform_id, attempts,
                            created_at, sender, error_reason, evidence)
SELECT gen_random_uuid(), %(robot)s, '', 203, 'room ' || n %% %(rooms)s, '',
       jsonb_build_object('n', n), 50, %(state)s, '', 0, now(), '', '',
       '[]'
  FROM generate_series(1, %(count)s) AS n
"""


def _insert(robot: Robot, count: int, state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, {"robot": robot.pk, "rooms": ROOMS, "state": state, "count": count})


@pytest.fixture
def backlog(robot: Robot, no_dead_rows: None) -> None:
    """Statistics that know of no queued command, as after a quiet night, and then a burst."""
    _insert(robot, QUEUED, CommandState.EXPIRED)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE robots_command")
    _insert(robot, QUEUED, CommandState.QUEUED)


def _pages(statement: str, **parameters: Any) -> int:
    """Return how many pages a statement looked at."""
    with connection.cursor() as cursor:
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        cursor.execute(explain, outbox_claim._parameters(limit=100, **parameters))
        found = cursor.fetchone()[0]
    plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.usefixtures("backlog")
def test_the_work_of_a_claim_grows_with_the_queue_and_not_with_its_square():
    assert _pages(outbox_claim._CANDIDATES) < 20 * QUEUED
    ids = list(Command.objects.values_list("pk", flat=True))
    assert _pages(outbox_claim._CLAIM, sender="test", ids=ids) < 40 * QUEUED


@pytest.mark.usefixtures("backlog")
def test_equal_texts_said_before_cost_nothing(robot: Robot):
    """A hundred thousand times 在的 over the months: only what the phone may still know is looked at."""
    Command.objects.filter(state=CommandState.QUEUED).update(payload={"receivedContent": "在的"})
    old = {"sending_at": ago(3600), "accepted_at": ago(3600), "final_at": ago(3500), "state": CommandState.DONE}
    Command.objects.filter(state=CommandState.EXPIRED).update(payload={"receivedContent": "在的"}, **old)
    assert _pages(outbox_claim._CANDIDATES) < 20 * QUEUED


@pytest.mark.usefixtures("backlog")
def test_the_first_command_of_each_room_is_claimed():
    with transaction.atomic():
        claimed = outbox_claim.claim("test", [one.id for one in outbox_claim.candidates(QUEUED)])
    assert len({command.target for command in claimed}) == len(claimed) == ROOMS
