from __future__ import annotations

import pytest

from flows.nodes import NodeError, Notify
from tests.flows.builders import context, node, node_context


def alerted():
    return node_context(context(alert_id="a-1", alert_level="critical", alert_rules=("threat",)))


def test_it_asks_to_tell_the_people_of_the_matching_rules():
    effect = node("execute_notification").run(alerted())
    assert effect == Notify(alert_id="a-1", rules=("threat",), level="critical")


def test_the_queued_deliveries_are_known_afterwards():
    ctx, telling = alerted(), node("execute_notification")
    assert telling.resume(ctx, telling.run(ctx), {"deliveries": ["d-1", "d-2"]}).patch == {"deliveries": ("d-1", "d-2")}


def test_a_failure_to_queue_is_an_error():
    ctx, telling = alerted(), node("execute_notification")
    with pytest.raises(NodeError, match="full"):
        telling.resume(ctx, telling.run(ctx), {"error": "full"})


def test_without_an_alert_nobody_is_told():
    assert node("execute_notification").run(node_context()).patch == {"deliveries": ()}
