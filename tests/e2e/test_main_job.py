"""The main job from the platform's line to the platform's ledger, on the whole product, once per dialect."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from tests.e2e.stack import Stack
from tests.polling import eventually

QUESTION = "如何退款？"
NODES = [
    "message_receive", "intent", "decision", "ai_reply", "message_dispatch", "send_command", "command_status", "end",
]  # fmt: skip
DIALECTS: dict[str, dict[str, Any]] = {
    "default": {},
    "code 0": {"code": 0},
    "atMe bool": {"atMe": "bool"},
    "atMe null": {"atMe": "null"},
    "messageId absent": {"messageId": "absent"},
    "messageId late": {"messageId": "late"},
    "messageId shared": {"messageId": "shared"},
    "form": {"body": "form"},
    "failListOnSuccess": {"failListOnSuccess": True},
    "resultFirst": {"resultFirst": True},
}


def test_a_question_is_answered_and_every_part_of_it_is_on_record(stack: Stack) -> None:
    began = time.monotonic()
    said = stack.say(QUESTION)
    answer = stack.answer("客服群", said)
    print(f"\nanswered after {time.monotonic() - began:.2f} s (promised: 5 s)")
    assert answer["atList"] == ["张三"]
    line = stack.line("客服群", QUESTION)
    assert (line["intent"], line["topic"], line["reason"]) == ("service", "支付问题", "answered")
    run = stack.run_of(line)
    assert (run["state"], run["outcome"], run["error"]) == ("done", "answered", "")
    assert_steps(stack, run)
    assert_command(stack, run, answer)
    assert_told(stack, run)


def assert_steps(stack: Stack, run: dict[str, Any]) -> None:
    steps = stack.rows("SELECT * FROM flows_step WHERE run_id = %s ORDER BY ordinal", run["id"])
    assert [step["node_type"] for step in steps] == NODES
    assert all(step["state"] == "done" and step["patch"] for step in steps)


def assert_command(stack: Stack, run: dict[str, Any], answer: dict[str, Any]) -> None:
    """The command, the ledger's entry and the outbound line are one and the same thing."""
    (command,) = stack.commands(run)
    (entry,) = stack.sends("客服群")
    assert (command["state"], command["attempts"]) == ("done", 1)
    assert command["platform_id"] == entry["messageId"] != ""
    (sent,) = entry["commands"]
    assert sent == command["payload"]
    assert sent["receivedContent"] == answer["text"]
    assert [execution["errorCode"] for execution in entry["executions"]] == [0]
    outbound = stack.row("SELECT * FROM robots_message WHERE id = %s", command["message_id"])
    assert (outbound["direction"], outbound["text"], outbound["run_id"]) == ("out", answer["text"], run["id"])


def assert_told(stack: Stack, run: dict[str, Any]) -> None:
    """Every step of it was told as an event, and the relay has published all of them."""
    last, types = stack.row("SELECT max(id) AS id FROM events_eventbatch")["id"], Counter[str]()
    for batch in stack.rows("SELECT items FROM events_eventbatch ORDER BY id"):
        types.update(event["type"] for event in batch["items"] if event.get("runId") == str(run["id"]))
    assert types["node_executed"] == len(NODES)
    assert {"intent_recognized", "ai_reply_generated", "command_sent", "command_result", "flow_completed"} <= set(types)
    relayed = "SELECT batch_id FROM events_relayposition WHERE batch_id >= %s"
    eventually(lambda: stack.rows(relayed, last), what="relayed")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_gets_one_answer_and_the_right_end(stack: Stack, dialect: str) -> None:
    stack.simulator.dialect(**DIALECTS[dialect])
    room = f"方言群 {dialect}"
    said = stack.say(QUESTION, room, atMe=True)
    stack.answer(room, said)
    line = stack.line(room, QUESTION)
    assert line["at_me"] is (dialect != "atMe null")
    (command,) = stack.commands(stack.run_of(line))
    assert command["state"] == ("partial" if dialect == "failListOnSuccess" else "done")
    assert line["reason"] == "answered"
    if dialect == "messageId late":
        await_the_second_copy(stack, room)
    assert len(stack.robot_lines(room)) == len(stack.sends(room)) == 1


def await_the_second_copy(stack: Stack, room: str) -> None:
    statement = """
        SELECT 1 FROM robots_message AS message JOIN robots_room AS room ON room.id = message.room_id
         WHERE room.address = %s AND message.reason = 'duplicate' AND message.platform_id <> ''"""
    eventually(lambda: stack.rows(statement, room), what="the second copy")


def test_lines_that_share_a_platform_id_are_each_answered(stack: Stack) -> None:
    stack.simulator.dialect(messageId="shared")
    texts = [QUESTION, "快递到哪了？", "怎么改密码？"]
    said = [stack.say(text, "同号群") for text in texts]
    assert len({line["messageId"] for line in said}) == 1
    eventually(lambda: len(stack.robot_lines("同号群")) == len(texts), what="three answers")
    assert all(stack.line("同号群", text)["reason"] == "answered" for text in texts)


def test_a_private_chat_is_answered_and_group_chatter_is_not(stack: Stack) -> None:
    stack.answer("王五", stack.say("在吗", None, "王五"))
    stack.say("哈哈哈笑死", "闲聊群")
    assert stack.line("闲聊群", "哈哈哈笑死")["reason"] in ("chatter", "not_mentioned")
    assert not stack.sends("闲聊群")


def test_no_line_is_left_without_a_reason(stack: Stack) -> None:
    open_lines = "SELECT text FROM robots_message WHERE direction = 'in' AND (reason = '' OR settled_at IS NULL)"
    eventually(lambda: not stack.rows(open_lines), what="every line settled")
    assert stack.row("SELECT count(*) FROM robots_message WHERE direction = 'in'")["count"] >= 1
