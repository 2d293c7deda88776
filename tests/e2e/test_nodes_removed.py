"""Nodes whose effect is a line at the platform, taken out of the running product's flow by ``manage.py publish_flow``.

``tests/flows/test_nodes_removed.py`` does the same for all eleven, looking at rows and events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.seeds import standard_graph
from tests.e2e.stack import Stack
from tests.e2e.test_alert_way import GRAVE, ON_DUTY
from tests.flows.removal import without

QUESTION = "如何退款？"
Publish = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def publish(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publish]:
    """Publish a graph as the standard flow; afterwards the standard one is in force again."""
    file: Path = tmp_path_factory.mktemp("flow") / "graph.json"

    def _publish(graph: dict[str, Any]) -> None:
        file.write_text(json.dumps(graph, ensure_ascii=False), encoding="utf-8")
        assert "published standard" in stack.manage("publish_flow", str(file), "--flow", "standard")
        stack.follow()

    yield _publish
    _publish(standard_graph())


def test_without_message_dispatch_nobody_is_mentioned(stack: Stack, publish: Publish) -> None:
    publish(without(standard_graph(), "message_dispatch"))
    said = stack.say(QUESTION, "无分发")
    assert stack.answer("无分发", said)["atList"] == []
    assert stack.line("无分发", QUESTION)["reason"] == "answered"


def test_without_send_command_nothing_reaches_the_platform(stack: Stack, publish: Publish) -> None:
    publish(without(standard_graph(), "send_command"))
    stack.say(QUESTION, "无发送")
    line = stack.line("无发送", QUESTION)
    assert (line["intent"], line["reason"]) == ("service", "flow_silent")
    assert stack.run_of(line)["state"] == "done"
    assert stack.rows("SELECT 1 FROM personas_aicall WHERE message_id = %s AND task = 'reply'", line["id"])
    assert not stack.sends("无发送")


def test_without_execute_notification_nobody_is_told(stack: Stack, publish: Publish) -> None:
    publish(without(standard_graph(), "execute_notification"))
    text, told_before = GRAVE["威胁"][0], len(stack.sends(ON_DUTY))
    stack.answer("无通知", stack.say(text, "无通知"))
    line = stack.line("无通知", text)
    assert stack.run_of(line)["state"] == "done"
    alert = stack.row("SELECT id FROM alerts_alert WHERE message_id = %s", line["id"])
    assert not stack.rows("SELECT 1 FROM alerts_delivery WHERE alert_id = %s", alert["id"])
    assert len(stack.sends(ON_DUTY)) == told_before
