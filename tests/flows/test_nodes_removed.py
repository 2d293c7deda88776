"""Each of the eleven nodes, taken out of the standard flow: exactly what it does is missing outside, nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from alerts.models import Alert, AlertRule, Delivery
from flows.models import Flow, Run, Step
from flows.seeds import standard_graph
from flows.services import publish
from personas.models import AICall
from robots import caches as robot_caches
from robots import hooks
from robots.models import Command, CommandState, Message
from tests.flows.removal import without
from tests.planted import clear_caches
from worktool_ai.events.models import EventBatch
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]

QUESTION = {"text": "如何退款？"}
COLLEAGUE = {"text": "如何退款？", "sender": "同事小李"}
CHATTER = {"text": "哈哈哈哈"}
THREAT = {"text": "再不退钱我就找人弄死你们"}

Line = dict[str, str]
#: What can be seen outside, by name; in a comparison ``(with the node, without it)``.
Facts = dict[str, Any]

#: What a run that answers shows beyond one that stays silent.
ANSWERED: Facts = {
    "sent": (0, 1),
    "awaits_result": (False, True),
    "recorded": (None, "done"),
    "outcome": ("silent", "answered"),
}
NOT_ANSWERED: Facts = {fact: (there, not_there) for fact, (not_there, there) in ANSWERED.items()}
NOBODY_TOLD: Facts = {
    "told": (["in_app", "robot"], []),
    "reason": ("handed_over", "answered"),
    "outcome": ("handed_over", "answered"),
}

CASES = [
    # who serves the customer, and whether the line is ours to answer at all
    pytest.param("message_receive", QUESTION, {"persona": ({"service"}, {"assistant"})}, id="message_receive: persona"),
    pytest.param(
        "message_receive",
        COLLEAGUE,
        {
            **ANSWERED,
            "reason": ("staff_line", "answered"),
            "asked": ([], ["intent", "reply"]),
            "persona": (set(), {"assistant"}),
            "intent": ("", "service"),
            "topic": ("", "支付问题"),
            "chosen": (None, "default"),
            "mentioned": ([], ["同事小李"]),
            "events": (set(), {"intent_recognized", "ai_reply_generated"}),
        },
        id="message_receive: a colleague's line",
    ),
    pytest.param(
        "intent",
        QUESTION,
        {
            "asked": (["intent", "reply"], ["reply"]),
            "intent": ("service", ""),
            "topic": ("支付问题", ""),
            "events": ({"intent_recognized"}, set()),
        },
        id="intent",
    ),
    pytest.param("decision", QUESTION, {"chosen": ("default", None)}, id="decision: the chosen rule"),
    pytest.param(
        "decision",
        CHATTER,
        {
            **ANSWERED,
            "reason": ("chatter", "answered"),
            "chosen": ("静默：群里的闲聊", None),
            "asked": (["intent"], ["intent", "reply"]),
            "mentioned": ([], ["张三"]),
            "events": (set(), {"ai_reply_generated"}),
        },
        id="decision: the silent way",
    ),
    pytest.param(
        "decision",
        THREAT,
        {
            **NOBODY_TOLD,
            "alert": ("critical", None),
            "chosen": ("告警处理", None),
            "events": ({"alert_triggered", "alert_rule_matched"}, set()),
        },
        id="decision: the alert way",
    ),
    pytest.param(
        "ai_reply",
        QUESTION,
        {
            **NOT_ANSWERED,
            "reason": ("answered", "flow_silent"),
            "asked": (["intent", "reply"], ["intent"]),
            "mentioned": (["张三"], []),
            "events": ({"ai_reply_generated"}, set()),
        },
        id="ai_reply",
    ),
    pytest.param("message_dispatch", QUESTION, {"mentioned": (["张三"], [])}, id="message_dispatch"),
    pytest.param(
        "send_command",
        QUESTION,
        {
            **NOT_ANSWERED,
            "reason": ("answered", "flow_silent"),
            "recorded": ("done", "nothing_sent"),
            "mentioned": (["张三"], []),
        },
        id="send_command",
    ),
    pytest.param(
        "command_status",
        QUESTION,
        {"awaits_result": (True, False), "recorded": ("done", "queued")},
        id="command_status",
    ),
    pytest.param("end", QUESTION, {"outcome": ("answered", ""), "events": ({"flow_completed"}, set())}, id="end"),
    pytest.param(
        "alert_save",
        THREAT,
        {**NOBODY_TOLD, "alert": ("critical", None), "events": ({"alert_triggered"}, set())},
        id="alert_save",
    ),
    pytest.param(
        "alert_rule",
        THREAT,
        {"told": (["in_app", "robot"], ["in_app"]), "events": ({"alert_rule_matched"}, set())},
        id="alert_rule",
    ),
    pytest.param("execute_notification", THREAT, NOBODY_TOLD, id="execute_notification"),
]


@pytest.fixture
def outcome(say, work, robot):
    """Say a line and have it handled to its end; returns what can be seen of that outside the engine."""
    robot.staff_names = ["同事小李"]
    robot.save()
    robot_caches.forget()

    def _outcome(line: Line, ends_as: str = CommandState.DONE) -> Facts:
        said = say(**line)
        work()
        before = Run.objects.get(message_id=said.message_id).state
        for command in Command.objects.filter(run_id__isnull=False, state=CommandState.QUEUED):
            _end(command, ends_as)
        work()
        return {"awaits_result": before == "settling", **_facts(Run.objects.get(message_id=said.message_id))}

    return _outcome


def _end(command: Command, state: str) -> None:
    """The platform's word about a command, as the gateway records it."""
    with transaction.atomic():
        Command.objects.filter(pk=command.pk).update(state=state, sending_at=now(), final_at=now())
        hooks.commands_final([command.pk])


def _facts(run: Run) -> Facts:
    message = Message.objects.get(pk=run.message_id)
    calls = AICall.objects.filter(run_id=run.pk).select_related("persona")
    commands = Command.objects.filter(run_id=run.pk)
    steps = list(Step.objects.filter(run=run).order_by("ordinal"))
    alert = Alert.objects.filter(run_id=run.pk).first()
    deliveries = Delivery.objects.filter(alert=alert) if alert else Delivery.objects.none()
    return {
        "state": run.state,
        "outcome": run.outcome,
        "reason": message.reason,
        "intent": message.intent,
        "topic": message.topic,
        "asked": sorted(call.task for call in calls),
        "persona": {call.persona.slug for call in calls if call.persona},
        "chosen": next((step.detail["chosen"] for step in steps if "chosen" in step.detail), None),
        "sent": len(commands),
        "mentioned": [name for command in commands for name in command.payload.get("atList", [])],
        "recorded": next(
            (step.patch["command_detail"] for step in reversed(steps) if "command_detail" in step.patch), None
        ),
        "alert": alert.level if alert else None,
        "told": sorted(delivery.channel.kind for delivery in deliveries.select_related("channel")),
        "events": _events(run),
    }


def _events(run: Run) -> set[str]:
    events = (event for batch in EventBatch.objects.all() for event in batch.items)
    told = {event["type"] for event in events if event.get("runId") == str(run.pk)}
    return told - {"node_executed", "command_sent", "command_result", "message_sent"}


@pytest.fixture
def differences(outcome, transactional_db):
    """Return what changes for a line when a type of node is taken out: ``{fact: (with it, without it)}``."""

    def _differences(node_type: str, line: Line, **more: Any) -> Facts:
        whole = outcome(line, **more)
        Alert.objects.update(state="resolved")
        flow = Flow.objects.get(slug="standard")
        publish(flow, without(standard_graph(), node_type), actor=None)
        clear_caches()
        reduced = outcome(line, **more)
        found = {fact: (whole[fact], reduced[fact]) for fact in whole if whole[fact] != reduced[fact]}
        if "events" in found:
            found["events"] = (whole["events"] - reduced["events"], reduced["events"] - whole["events"])
        return found

    return _differences


@pytest.mark.parametrize(("node_type", "line", "expected"), CASES)
def test_without_a_node_exactly_its_effect_is_missing(differences, node_type: str, line: Line, expected: Facts):
    assert differences(node_type, line) == expected


def test_without_command_status_a_refusal_is_never_heard_of(differences):
    found = differences("command_status", QUESTION, ends_as=CommandState.FAILED)
    assert found["reason"] == ("send_failed", "answered")
    assert found["recorded"] == ("failed", "queued")


def test_without_alert_rule_every_alert_has_the_default_severity(differences):
    AlertRule.objects.filter(slug="complaint").update(level="critical")
    clear_caches()
    assert differences("alert_rule", {"text": "想投诉你们客服，态度太差了"})["alert"] == ("critical", "warning")


def test_every_node_type_is_taken_out_here():
    assert {case.values[0] for case in CASES} == {node["type"] for node in standard_graph()["nodes"]}
