"""Lines of one person that are answered together, where a robot wants it so."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from flows.engine import claims, knowledge
from flows.merging import MAX_CHARS
from flows.models import ConversationLease, Run, RunState, Step
from flows.services import start_runs
from robots import caches as robot_caches
from robots.models import Command, Message
from tests.flows.conftest import lease_of, run_of, stored_line
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]


@pytest.fixture
def merging(robot):
    """The robot merges what is said within 20 seconds, for at most 40."""
    robot.merge_window_s, robot.merge_limit_s = 20, 40
    robot.save()
    robot_caches.forget()
    return robot


def elapse(seconds: float) -> None:
    """Let time pass for what waits for it."""
    by = timedelta(seconds=seconds)
    for run in Run.objects.exclude(flush_at=None):
        assert run.flush_at is not None
        Run.objects.filter(pk=run.pk).update(flush_at=run.flush_at - by, created_at=run.created_at - by)
    for lease in ConversationLease.objects.exclude(due_at=None):
        assert lease.due_at is not None
        ConversationLease.objects.filter(pk=lease.pk).update(due_at=lease.due_at - by)


def start_over() -> None:
    """What a restart does to the engine: every cache of the process is empty."""
    knowledge.forget()
    knowledge.graph_of.cache_clear()
    robot_caches.forget()


def reasons(*lines: Any) -> list[str]:
    found = dict(Message.objects.values_list("pk", "reason"))
    return [found[line.message_id] for line in lines]


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_three_lines_within_the_window_get_one_answer(merging, say, work, restarted):
    lines = []
    for text in ("你好", "我买的东西", "如何退款？"):
        lines.append(say(text, at_me=text == "你好"))
        if restarted:
            start_over()
        assert work() == 0, "the window is open"
    run = Run.objects.get()
    assert (run.message_id, run.state) == (lines[-1].message_id, RunState.QUEUED)
    assert run.input["original_message"] == run.input["raw_message"] == "你好\n我买的东西\n如何退款？"
    assert run.input["at_me"] is True
    assert run.input["received_at"] == int(lines[-1].received_at.timestamp() * 1000)
    elapse(20)
    work()
    assert Command.objects.count() == 1
    assert reasons(*lines) == ["merged", "merged", "answered"]
    assert set(Message.objects.filter(reason="merged").values_list("run_id", flat=True)) == {run.pk}
    lease = lease_of(lines[0])
    assert (lease.queued, lease.due_at) == (0, None)


def test_lines_that_arrive_together_are_merged_in_their_order(merging, robot):
    lines = [stored_line(robot, text, "张三", "客服群") for text in ("一", "二", "三")]
    with transaction.atomic():
        assert start_runs(lines) == 0, "nobody needs to be rung for yet"
    assert Run.objects.get().input["original_message"] == "一\n二\n三"
    assert reasons(*lines) == ["merged", "merged", ""]


def test_two_people_interleaved_stay_apart(merging, say, work):
    said = [("张三", "如何退款？"), ("李四", "快递到哪了？"), ("张三", "急"), ("李四", "单号 123")]
    lines = [say(text, sender=sender) for sender, text in said]
    elapse(20)
    work()
    texts = {run.conversation.sender_name: run.input["original_message"] for run in Run.objects.all()}
    assert texts == {"张三": "如何退款？\n急", "李四": "快递到哪了？\n单号 123"}
    assert reasons(*lines)[:2] == ["merged", "merged"]


def test_the_same_person_in_two_rooms_is_two_conversations(merging, say):
    say("如何退款？", room="客服群")
    say("快递到哪了？", room="售后群")
    assert Run.objects.count() == 2


def test_who_goes_on_and_on_is_answered_at_the_limit(merging, say, work):
    say("一")
    for number in range(4):
        elapse(15)
        say(f"再来 {number}")
    run = Run.objects.get()
    assert run.flush_at <= now(), "60 seconds after the first line, though the last one is fresh"
    assert lease_of_run(run).due_at <= now()
    work()
    assert Step.objects.filter(run=run).exists()


def test_lines_that_arrive_while_a_run_is_walked_join_the_next_one(merging, say, work):
    say("如何退款？")
    elapse(20)
    (claimed,) = claims.claim(1)
    (head,) = claims.head_runs([claimed])
    second, third = say("快递到哪了？"), say("单号 123")
    assert Run.objects.count() == 2
    assert run_of(third).input["original_message"] == "快递到哪了？\n单号 123"
    assert reasons(second) == ["merged"]
    assert Run.objects.get(pk=head.run_id).input["original_message"] == "如何退款？", "what is walked does not grow"


def test_a_claim_before_the_window_has_closed_gives_the_conversation_back(merging, say, work):
    line = say("如何退款？")
    ConversationLease.objects.update(due_at=now())
    assert work() == 1
    assert not Step.objects.exists()
    lease = lease_of(line)
    assert (lease.until, lease.holder, lease.queued) == (None, "", 1)
    assert lease.due_at == run_of(line).flush_at


def test_a_line_that_joins_while_a_worker_takes_the_run_is_in_it_or_has_its_own(merging, say, robot):
    """Both lock the lease first. Whoever comes second sees what the first has done."""
    say("如何退款？")
    elapse(20)
    (claimed,) = claims.claim(1)
    line = stored_line(robot, "急", "张三", "客服群")
    taken: list[Any] = []

    def take() -> None:
        taken.extend(claims.head_runs([claimed]))
        connection.close()

    worker = threading.Thread(target=take)
    with transaction.atomic():
        start_runs([line])
        worker.start()
        assert wait_until_blocked()
    worker.join()
    assert taken == [], "the line has opened the window again"
    run = Run.objects.get()
    assert (run.state, run.input["original_message"]) == (RunState.QUEUED, "如何退款？\n急")


def wait_until_blocked() -> bool:
    """Whether somebody waits for a lock that this transaction holds."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    with connection.cursor() as cursor:
        for _ in range(2000):
            cursor.execute(blocked)
            if cursor.fetchone()[0]:
                return True
            # within a transaction the list of sessions stays as it was first read
            cursor.execute("SELECT pg_stat_clear_snapshot(), pg_sleep(0.005)")
    return False


def test_a_picture_after_words_is_answered_by_the_words(merging, say):
    say("这个怎么退")
    line = say("", text_type=2)
    stored = run_of(line).input
    assert (stored["original_message"], stored["text_type"]) == ("这个怎么退", 1)


def test_a_run_that_is_full_takes_no_further_line(merging, say):
    say("长" * (MAX_CHARS - 2))
    say("短")
    say("又短")
    assert [len(run.input["original_message"]) for run in Run.objects.order_by("seq")] == [MAX_CHARS, 2]


def test_without_a_window_each_line_has_its_own_run(say, robot):
    lines = [say("如何退款？"), say("急")]
    assert [run_of(line).flush_at for line in lines] == [None, None]


def lease_of_run(run: Run) -> ConversationLease:
    return ConversationLease.objects.get(conversation_id=run.conversation_id)
