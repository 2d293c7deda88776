"""Never over a colleague: runs whose conversation changes hands, and lines that colleagues said themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction

from flows.engine.claims import claim, head_runs
from flows.engine.runner import advance_conversation
from flows.models import ConversationLease
from robots import caches, outbox_claim, services
from robots.models import Command, Message, Robot
from tests.flows.conftest import Say, lease_of, run_of
from worktool_ai.lib.clock import now

pytestmark = pytest.mark.django_db

Work = Callable[[], int]


def reason_of(line) -> str:
    return Message.objects.values_list("reason", flat=True).get(pk=line.message_id)


def close() -> None:
    with transaction.atomic():
        outbox_claim.close_overdue()


def test_taken_over_between_claim_and_queueing(seeded: None, robot: Robot, say: Say, work: Work) -> None:
    line = say("如何退款？", room=None)
    (head,) = head_runs(claim(1))
    services.take_over(line.conversation_id, "王五")
    advance_conversation(head)
    command = Command.objects.get()
    assert (command.state, command.owner_epoch) == ("queued", 0)
    close()
    command.refresh_from_db()
    assert command.state == "withdrawn"
    work()
    assert (reason_of(line), run_of(line).reason) == ("withdrawn", "withdrawn")


def test_said_to_the_robot_taken_over_before_the_walk(seeded: None, robot: Robot, say: Say, work: Work) -> None:
    line = say("如何退款？", room=None)
    services.take_over(line.conversation_id, "王五")
    work()
    assert reason_of(line) == "owner_human"
    assert not Command.objects.exists()


def test_giving_back_answers_no_old_line(seeded: None, robot: Robot, say: Say, work: Work) -> None:
    early = say("如何退款？", room=None)
    services.take_over(early.conversation_id, "王五")
    handled = say("在吗，如何退款", room=None)
    work()
    late = say("怎么登录", room=None)
    services.give_back(early.conversation_id, "王五")
    work()
    assert [reason_of(line) for line in (early, handled, late)] == ["owner_human"] * 3
    assert not Command.objects.exists()
    fresh = say("如何退款？", room=None)
    work()
    assert reason_of(fresh) == "answered"
    command = Command.objects.get()
    assert (command.owner_epoch, command.state) == (2, "queued")


def test_a_run_that_was_interrupted_under_way_stays_under_its_epoch(
    seeded: None, robot: Robot, say: Say, work: Work
) -> None:
    line = say("如何退款？", room=None)
    head_runs(claim(1))  # and its worker dies
    services.take_over(line.conversation_id, "王五")
    services.give_back(line.conversation_id, "王五")
    ConversationLease.objects.filter(pk=lease_of(line).pk).update(until=now() - timedelta(seconds=1))
    (head,) = head_runs(claim(1))
    assert (head.owner, head.owner_epoch) == ("human", 1)


@pytest.mark.parametrize("sender", ["同事小李", " 同事小李　", "同事Ｌｉ", "同事li", "同事 LI ", "同事　LI"])
def test_a_colleagues_line_is_stored_and_never_answered(
    seeded: None, robot: Robot, say: Say, work: Work, sender: str
) -> None:
    Robot.objects.filter(pk=robot.pk).update(staff_names=["同事小李 ", "同事Li", "同事 Li"])
    caches.forget()
    line = say("如何退款？", sender=sender, at_me=True)
    work()
    assert reason_of(line) == "staff_line"
    assert not Command.objects.exists()


@pytest.mark.parametrize("sender", ["客服机器人", "客服机器人 ", "小助手Ａ", "小助手a"])
def test_a_robot_under_any_of_its_names_is_not_answered(
    seeded: None, robot: Robot, say: Say, work: Work, sender: str
) -> None:
    Robot.objects.filter(pk=robot.pk).update(aliases=["小助手A"])
    caches.forget()
    line = say("如何退款？", sender=sender, at_me=True)
    work()
    assert reason_of(line) == "other_robot"
    assert not Command.objects.exists()
