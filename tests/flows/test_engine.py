"""The engine on a real database: claims, walks, commits and what they leave behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from alerts.models import Alert, Delivery
from flows.engine import claims, runner, waits
from flows.models import ConversationLease, Effect, Run, RunState, Step, Wait
from personas.models import AICall
from robots import hooks
from robots.models import Command, CommandState, Message
from tests.flows.conftest import lease_of, run_of
from worktool_ai.events.models import EventBatch
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]


def finish(command: Command, state: str = CommandState.DONE) -> None:
    """The platform's word about a command, as the gateway records it."""
    with transaction.atomic():
        Command.objects.filter(pk=command.pk).update(state=state, sending_at=now(), final_at=now())
        hooks.commands_final([command.pk])


def rested(line) -> None:
    """Let the pause of an interrupted run be over."""
    Run.objects.filter(message_id=line.message_id).update(flush_at=None)
    ConversationLease.objects.filter(conversation_id=line.conversation_id).update(due_at=now())


def events_of(kind: str) -> list[dict]:
    return [event for batch in EventBatch.objects.order_by("id") for event in batch.items if event["type"] == kind]


def test_a_question_is_answered_in_eight_steps(say, work):
    line = say("如何退款？")
    assert work() == 1
    run = run_of(line)
    assert run.state == RunState.SETTLING
    command = Command.objects.get(run_id=run.pk)
    assert command.state == CommandState.QUEUED
    assert command.target == "客服群"
    assert command.payload["atList"] == ["张三"]
    # for the phone, which swallows what equals its last text
    assert command.variants
    assert command.text not in command.variants
    finish(command)
    work()
    run.refresh_from_db()
    assert (run.state, run.reason, run.outcome) == (RunState.DONE, "answered", "answered")
    steps = list(Step.objects.filter(run=run).order_by("ordinal"))
    assert [step.node_type for step in steps] == [
        "message_receive",
        "intent",
        "decision",
        "ai_reply",
        "message_dispatch",
        "send_command",
        "command_status",
        "end",
    ]
    assert all(step.patch for step in steps)
    message = Message.objects.get(pk=line.message_id)
    assert (message.intent, message.topic, message.reason) == ("service", "支付问题", "answered")
    calls = AICall.objects.filter(run_id=run.pk)
    assert {call.task for call in calls} == {"intent", "reply"}
    assert {call.room_id for call in calls} == {run.conversation.room_id}
    lease = lease_of(line)
    assert (lease.queued, lease.due_at, lease.until) == (0, None, None)
    assert [event["data"]["reason"] for event in events_of("flow_completed")] == ["answered"]
    assert len(events_of("node_executed")) == 8


def test_chatter_in_a_group_is_met_with_silence_and_its_reason(say, work):
    line = say("哈哈哈哈")
    work()
    message = Message.objects.get(pk=line.message_id)
    assert message.reason in ("chatter", "not_mentioned")
    assert run_of(line).state == RunState.DONE
    assert not Command.objects.exists()


def test_a_threat_takes_the_alert_way_and_is_answered_calmly(say, work):
    line = say("再不退钱我就去12315投诉你们，还要找人上门弄死你们")
    work()
    alert = Alert.objects.get()
    assert alert.level == "critical"
    assert alert.run_id == run_of(line).pk
    channels = {delivery.channel.kind for delivery in Delivery.objects.select_related("channel")}
    assert {"in_app", "robot"} <= channels
    answer = Command.objects.get(run_id=run_of(line).pk)
    assert not any(word in answer.text for word in ("标记", "风险", "违规"))
    finish(answer)
    work()
    run = run_of(line)
    assert run.reason == "handed_over"
    assert Step.objects.filter(run=run).count() == 11
    assert events_of("alert_rule_matched")


def test_lines_of_one_person_are_walked_in_order_one_at_a_time(say, work):
    lines = [say(f"怎么退款 {number}") for number in range(5)]
    assert lease_of(lines[0]).queued == 5
    work()
    sent = [command.run_id for command in Command.objects.order_by("seq")]
    assert sent == [run_of(line).pk for line in lines]
    assert lease_of(lines[0]).queued == 0


def test_a_waiting_result_does_not_hold_up_the_next_line(say, work):
    first = say("如何退款？")
    work()
    second = say("快递到哪了？")
    work()
    assert run_of(first).state == RunState.SETTLING
    assert Command.objects.filter(run_id=run_of(second).pk).exists()


def test_a_result_that_never_comes_ends_the_run_as_unknown(say, work):
    line = say("如何退款？")
    work()
    Wait.objects.update(due_at=now() - timedelta(seconds=1))
    assert waits.wake_due() == 1
    work()
    run = run_of(line)
    assert (run.state, run.reason) == (RunState.DONE, "send_unknown")
    assert Wait.objects.get().state == "expired"


def test_a_result_that_came_before_the_wait_was_written_is_found_by_the_poll(say, work):
    line = say("如何退款？")
    work()
    Command.objects.update(state=CommandState.DONE, sending_at=now())
    assert waits.wake_due() == 1
    work()
    assert run_of(line).state == RunState.DONE


def test_a_robot_in_shadow_mode_writes_a_draft_and_the_run_ends(say, work, robot):
    robot.mode = "shadow"
    robot.save()
    from robots import caches

    caches.forget()
    line = say("如何退款？")
    work()
    assert Command.objects.get().state == CommandState.DRAFT
    run = run_of(line)
    assert (run.state, run.reason) == (RunState.DONE, "draft_only")


def test_a_worker_that_lost_its_lease_writes_nothing(say):
    line = say("如何退款？")
    (mine,) = claims.claim(1)
    (head,) = claims.head_runs([mine])
    lease = lease_of(line)
    lease.until = now() - timedelta(seconds=1)
    lease.save()
    (theirs,) = claims.claim(1)
    assert theirs.epoch == mine.epoch + 1
    runner.advance_conversation(head)
    assert not Step.objects.exists()
    assert not Command.objects.exists()
    (again,) = claims.head_runs([theirs])
    assert again.recoveries == 1
    runner.advance_conversation(again)
    assert Command.objects.count() == 1


def test_two_claims_never_share_a_conversation(say):
    for number in range(6):
        say("如何退款？", sender=f"客户{number}")
    first, second = claims.claim(3), claims.claim(10)
    assert len(first) == len(second) == 3
    assert not {c.conversation_id for c in first} & {c.conversation_id for c in second}
    assert claims.claim(10) == []


def test_a_stored_outcome_is_not_asked_for_again_after_a_crash(say, work, monkeypatch):
    line = say("如何退款？")
    asked: list[str] = []
    real = runner.performers.ask_model

    def costly(effect, head, node_id):
        asked.append(effect.task)
        performed = real(effect, head, node_id)
        performed.is_costly = True
        if effect.task == "reply" and len(asked) == 2:
            raise RuntimeError("killed between the model's answer and our commit")
        return performed

    monkeypatch.setattr(runner.performers, "ask_model", costly)
    work()
    assert Effect.objects.filter(kind="ask_model").count() == 1, "the intent was stored"
    rested(line)
    work()
    assert asked == ["intent", "reply", "reply"], "the stored intent was replayed"
    assert Command.objects.count() == 1
    assert run_of(line).recoveries == 1


def test_without_a_published_flow_silence_has_its_reason(say, work):
    from flows.engine import knowledge
    from flows.models import Flow

    Flow.objects.update(is_default=False)
    knowledge.forget()
    line = say("如何退款？")
    assert work() == 0
    assert Message.objects.get(pk=line.message_id).reason == "flow_silent"
    assert not Run.objects.exists()


def test_a_stale_line_is_left_to_people(say, work):
    line = say("如何退款？", received_at=now() - timedelta(minutes=6))
    work()
    assert Message.objects.get(pk=line.message_id).reason == "stale_line"


def test_a_burst_of_conversations_is_written_in_groups(say, work, django_assert_max_num_queries):
    lines = [say("如何退款？", sender=f"客户{number}") for number in range(20)]
    work()
    assert Command.objects.count() == len(lines)
    assert Step.objects.filter(node_type="send_command").count() == len(lines)


def test_the_first_line_of_a_robot_made_a_moment_ago_is_answered(say, robot):
    from flows.services import start_runs
    from robots import caches
    from robots.models import Robot
    from tests.flows.conftest import stored_line

    caches.robots_by_id()
    fresh = Robot.objects.create(
        slug="new",
        name="新机器人",
        robot_id="wt-new",
        robot_id_digest="d-new",
        callback_key="k",
        callback_key_digest="d-k",
    )
    with transaction.atomic():
        assert start_runs([stored_line(fresh, "如何退款？", "李四", "新群")]) == 1
