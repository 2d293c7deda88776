"""The phone's duplicate filter: equal texts are kept apart, said otherwise, or closed with the reason."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction

from robots import equal, outbox, outbox_claim
from robots.models import Command, Conversation, Message
from robots.simulator.testing import SimulatorClient
from tests.robots.outbound.conftest import ROOM, Queue, ago, conversation_in, queue_command, state_of
from worktool_ai.lib.clock import now


def texts(simulator: SimulatorClient) -> list[str]:
    return [command["receivedContent"] for entry in simulator.sends() for command in entry["commands"]]


def poll() -> None:
    """What each second is done about the queue, and a round of the outbox."""
    with transaction.atomic():
        equal.reword()
        outbox_claim.apologise()
        outbox_claim.close_overdue()
    outbox.drain()


def test_the_second_waits_until_the_first_is_long_done(queue: Queue, simulator: SimulatorClient) -> None:
    first, second = queue("在的"), queue("在的")
    poll()
    assert (state_of(first), state_of(second)) == ("accepted", "queued")
    Command.objects.filter(pk=first.pk).update(state="done", final_at=ago(29))
    poll()
    assert texts(simulator) == ["在的"]
    Command.objects.filter(pk=first.pk).update(final_at=ago(31))
    poll()
    assert texts(simulator) == ["在的", "在的"]
    simulator.wait_for(lambda: len([line for line in simulator.transcript(ROOM) if line["text"] == "在的"]) == 2)


@pytest.mark.parametrize("state", ["sending", "accepted", "unknown"])
def test_nothing_equal_leaves_while_one_is_on_its_way(queue: Queue, simulator: SimulatorClient, state: str) -> None:
    """However long an unknown one has been so: its room is free again, but not for the same words."""
    first = queue("在的")
    Command.objects.filter(pk=first.pk).update(state=state, sending_at=ago(170), sender="another")
    queue("在的")
    poll()
    assert texts(simulator) == []


def test_words_that_name_another_person_are_others(conversation: Conversation, simulator: SimulatorClient) -> None:
    for person in ("张三", "李四"):
        payload = {"type": 203, "titleList": [ROOM], "receivedContent": "在的", "atList": [person]}
        queue_command(conversation_in(conversation.robot, ROOM, person), "在的", payload=payload)
    poll()
    assert texts(simulator) == ["在的", "在的"]


def test_what_never_reached_the_phone_is_in_no_ones_way(queue: Queue, simulator: SimulatorClient) -> None:
    refused, absent = queue("在的"), queue("在的")
    Command.objects.filter(pk=refused.pk).update(state="failed", sending_at=ago(2), final_at=ago(1))
    Command.objects.filter(pk=absent.pk).update(state="not_accepted", sending_at=ago(70), final_at=ago(1))
    queue("在的")
    poll()
    assert texts(simulator) == ["在的"]


def test_a_variant_is_said_at_once(queue: Queue, simulator: SimulatorClient) -> None:
    queue("在的")
    second = queue("在的", variants=["我在的，请讲"])
    poll()
    assert texts(simulator) == ["在的", "我在的，请讲"] or state_of(second) == "queued"
    poll()
    assert texts(simulator) == ["在的", "我在的，请讲"]
    second.refresh_from_db()
    assert (second.text, second.reworded, second.variants) == ("我在的，请讲", "variant", [])
    assert Message.objects.get(command=second).text == "我在的，请讲"


def test_one_that_would_be_stale_by_then_closes_as_covered(
    queue: Queue, simulator: SimulatorClient, final_commands: list[UUID]
) -> None:
    first = queue("在的")
    poll()
    Command.objects.filter(pk=first.pk).update(state="done", final_at=ago(1))
    second = queue("在的", expires_at=now() + timedelta(seconds=20))
    poll()
    second.refresh_from_db()
    assert (second.state, second.covered_by) == ("covered", first)
    assert final_commands[-1] == second.pk
    later = queue("别的话")
    poll()
    assert state_of(later) == "accepted"


def test_nothing_covers_that_the_customer_will_not_read(queue: Queue, simulator: SimulatorClient) -> None:
    first = queue("在的")
    poll()
    Command.objects.filter(pk=first.pk).update(state="failed", final_at=ago(1))
    second = queue("在的", expires_at=ago(0))
    poll()
    assert state_of(second) == "expired"
