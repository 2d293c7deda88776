"""Bursts: each person's lines are handled in order, nobody waits for another, and what is said leaves in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from flows.engine import runner, worker
from flows.models import Run, Step
from flows.services import start_runs
from robots import outbox_claim
from robots.models import Command, CommandState
from tests.flows.conftest import stored_line
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]


def burst(robot: Any, said: list[tuple[str, str]]) -> list[Any]:
    """Store lines as one batch of the consumer would: ``(person, text)``, all in one room."""
    lines = [stored_line(robot, text, person, "客服群") for person, text in said]
    with transaction.atomic():
        start_runs(lines)
    return lines


def by_person() -> dict[str, list[str]]:
    """The answered texts of each person, in the order in which their commands were queued."""
    texts = dict(Run.objects.values_list("pk", "message__text"))
    found: dict[str, list[str]] = {}
    for command in Command.objects.order_by("seq").select_related("conversation"):
        found.setdefault(command.conversation.sender_name, []).append(texts[command.run_id])
    return found


def test_fifty_lines_of_one_person_are_handled_in_order_by_many_workers(robot, monkeypatch):
    said = [("张三", f"怎么退款 {number}") for number in range(50)]
    burst(robot, [*said[:25], ("李四", "快递到哪了？"), *said[25:]])
    done: list[str] = []
    walk = runner._walk

    def noting(head: Any) -> Any:
        result = walk(head)
        done.append(head.input["user_name"])
        return result

    monkeypatch.setattr(runner, "_walk", noting)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_work, range(4)))
    answered = by_person()
    assert answered["张三"] == [text for _person, text in said]
    assert answered["李四"] == ["快递到哪了？"]
    assert done.index("李四") < 5, "another's line is not held up by fifty"


def _work(_worker: int) -> None:
    try:
        while worker.advance(1):
            pass
    finally:
        connection.close()


def test_a_burst_into_one_room_stays_ordered_and_leaves_as_it_was_queued(robot, work):
    said = [(f"客户{number % 8}", f"怎么退款 {number}") for number in range(200)]
    burst(robot, said)
    work()
    assert Command.objects.count() == 200
    for person, texts in by_person().items():
        assert texts == [text for who, text in said if who == person]
    assert Step.objects.filter(node_type="send_command").count() == 200
    assert _left(robot) == list(Command.objects.order_by("seq").values_list("pk", flat=True))


def _left(robot: Any) -> list[Any]:
    """The commands as the outbox hands them out, each one done before the next is asked for."""
    left = []
    while True:
        with transaction.atomic():
            claimed = outbox_claim.claim("test", [one.id for one in outbox_claim.candidates(10)])
            ids = [command.id for command in claimed]
            # long ago: an equal answer need not wait until the phone has forgotten it
            long_ago = now() - timedelta(hours=2)
            Command.objects.filter(pk__in=ids).update(state=CommandState.DONE, sending_at=long_ago, final_at=long_ago)
        if not ids:
            return left
        left += ids
