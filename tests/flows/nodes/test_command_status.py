from __future__ import annotations

from datetime import timedelta

import pytest

from flows.nodes import Next, WaitFor
from tests.flows.builders import NOW, context, node, node_context


def sent(**values):
    return context(send_id="s-1", command_status="pending", command_detail="queued", reason="answered", **values)


def test_it_waits_for_the_phone_without_holding_anything():
    effect = node("command_status", wait_s=30).run(node_context(sent()))
    assert effect == WaitFor(command_id="s-1", until=NOW + timedelta(seconds=30))


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        ("done", "sent", None),
        ("partial", "sent", None),
        ("failed", "failed", "send_failed"),
        ("not_accepted", "failed", "send_failed"),
        ("unknown", "sent", "send_unknown"),
        ("expired", "failed", "stale_reply"),
        ("withdrawn", "failed", "withdrawn"),
    ],
)
def test_what_became_of_the_command_is_recorded(state, status, reason):
    ctx, waiting = node_context(sent()), node("command_status")
    result = waiting.resume(ctx, waiting.run(ctx), {"state": state, "error": "", "timedOut": False})
    assert (result.patch["command_status"], result.patch["command_detail"]) == (status, state)
    assert result.patch.get("reason") == reason


def test_without_a_word_from_the_phone_in_time_nobody_claims_that_it_was_sent():
    ctx, waiting = node_context(sent()), node("command_status")
    result = waiting.resume(ctx, waiting.run(ctx), {"state": "accepted", "timedOut": True})
    assert result.patch["reason"] == "send_unknown"


def test_a_draft_and_an_unsent_answer_are_not_waited_for():
    draft = node("command_status").run(node_context(context(send_id="s-1", command_detail="draft")))
    assert isinstance(draft, Next)
    assert draft.patch == {"command_status": "pending", "command_detail": "draft"}
    assert node("command_status").run(node_context()).patch["command_detail"] == "nothing_sent"
