from __future__ import annotations

import pytest

from tests.flows.builders import context, node, node_context


@pytest.mark.parametrize(
    ("line", "reason", "outcome"),
    [
        (context(reason="answered", send_id="s-1"), "answered", "answered"),
        (context(reason="asked_back", send_id="s-1"), "asked_back", "answered"),
        (context(reason="handed_over", send_id="s-1"), "handed_over", "handed_over"),
        (context(reason="chatter"), "chatter", "silent"),
        (context(send_id="s-1"), "answered", "answered"),
        (context(), "flow_silent", "silent"),
        (context(reason="send_failed", send_id="s-1"), "send_failed", "silent"),
        (context(reason="answered"), "flow_silent", "silent"),  # written, never queued
    ],
)
def test_it_closes_the_run_with_reason_and_outcome(line, reason, outcome):
    result = node("end").run(node_context(line))
    assert result.patch == {"reason": reason, "outcome": outcome}
    assert result.events == (("flow_completed", {"outcome": outcome, "reason": reason}),)


def test_a_configured_reason_serves_where_no_node_gave_one():
    assert node("end", reason="listed_out").run(node_context()).patch["reason"] == "listed_out"
