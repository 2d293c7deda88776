"""Grave lines on the whole product: somebody is told at once, and the customer gets a calm answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from robots.simulator.records import Json
from tests.e2e.stack import ANSWER_S, Stack
from tests.polling import eventually
from tests.wire import Scripted, WireServer, running_wire_server

ON_DUTY = "值班主管"
BANNED = ("标记", "风险", "违规")
HANG_S = 30.0
GRAVE = {
    "威胁": ("再不退款我就找人弄死你们", "risk-threat-words"),
    "投诉到监管": ("再不处理我就打12315投诉你们", "risk-authority-words"),
}


@pytest.fixture
def hanging_webhook(stack: Stack) -> Iterator[WireServer]:
    """The webhook channel switched on, its receiver taking half a minute to answer."""
    released = threading.Event()
    with running_wire_server() as wire:
        wire.answers(Scripted(before=lambda: released.wait(HANG_S)))
        config = Jsonb({"url": f"{wire.url}/hook", "allow_private": True})
        webhook = "UPDATE alerts_notificationchannel SET is_active = %s, config = config || %s WHERE kind = 'webhook'"
        assert stack.change(webhook, True, config) == 1
        stack.follow()
        yield wire
        stack.change(webhook, False, Jsonb({"url": ""}))
        released.set()


@pytest.mark.parametrize("kind", GRAVE)
def test_a_grave_line_raises_an_alert_and_is_answered_calmly(stack: Stack, kind: str) -> None:
    text, rule = GRAVE[kind]
    answer = stack.answer(kind, stack.say(text, kind))
    assert not any(word in answer["text"] for word in BANNED)
    line = stack.line(kind, text)
    run = stack.run_of(line)
    assert (run["state"], line["reason"]) == ("done", "handed_over")
    alert = stack.row("SELECT * FROM alerts_alert WHERE message_id = %s", line["id"])
    assert (alert["level"], alert["state"], alert["run_id"]) == ("critical", "open", run["id"])
    assert rule in matched_rules(stack, run)
    eventually(lambda: outcomes(stack, alert) == {"in_app": "sent", "robot": "sent"}, what="delivered")
    note = notice(stack, text)
    assert alert["title"].startswith(kind)
    assert "张三" in note["receivedContent"]


def matched_rules(stack: Stack, run: dict[str, Any]) -> set[str]:
    events = [event for row in stack.rows("SELECT items FROM events_eventbatch") for event in row["items"]]
    mine = [event for event in events if event.get("runId") == str(run["id"])]
    return {event["data"]["rule"] for event in mine if event["type"] == "alert_rule_matched"}


def outcomes(stack: Stack, alert: dict[str, Any]) -> dict[str, str]:
    """Return the state of the one delivery per channel."""
    rows = stack.rows(
        "SELECT channel.kind, delivery.state FROM alerts_delivery AS delivery"
        " JOIN alerts_notificationchannel AS channel ON channel.id = delivery.channel_id WHERE alert_id = %s",
        alert["id"],
    )
    found = {row["kind"]: row["state"] for row in rows}
    assert len(found) == len(rows), f"a channel tells twice: {rows}"
    return found


def notice(stack: Stack, text: str) -> Json:
    """Return the robot's one command that quotes a line to the person on duty."""
    commands = [command for entry in stack.sends(ON_DUTY) if entry["messageId"] for command in entry["commands"]]
    found: Json
    (found,) = [command for command in commands if text in command["receivedContent"]]
    assert found["titleList"] == [ON_DUTY]
    return found


def test_a_channel_that_hangs_delays_nothing(stack: Stack, hanging_webhook: WireServer) -> None:
    text = GRAVE["威胁"][0]
    first = stack.say(text, "挂起一")
    eventually(lambda: hanging_webhook.asked, what="the webhook is asked")
    began = time.monotonic()
    second = stack.say(text, "挂起二")
    third = stack.say("如何退款？", "挂起三")
    for room, said in (("挂起一", first), ("挂起二", second), ("挂起三", third)):
        stack.answer(room, said)
    for room in ("挂起一", "挂起二"):
        alert = alert_of(stack, stack.line(room, text))
        eventually(told_all_but_the_webhook(stack, alert), what="the other channels")
    print(f"\nanswered and told after {time.monotonic() - began:.2f} s, the webhook still hanging")
    assert time.monotonic() - began < ANSWER_S < HANG_S


def alert_of(stack: Stack, line: dict[str, Any]) -> dict[str, Any]:
    return stack.row("SELECT * FROM alerts_alert WHERE message_id = %s", line["id"])


def told_all_but_the_webhook(stack: Stack, alert: dict[str, Any]) -> Callable[[], bool]:
    return lambda: outcomes(stack, alert) == {"in_app": "sent", "robot": "sent", "webhook": "sending"}
