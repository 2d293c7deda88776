"""Faults on demand: where each strikes, and that it strikes only there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import urllib3

from robots.simulator.testing import SimulatorClient
from tests.simulator.door import ROBOT, ROOM, Door, command, send

Json = dict[str, Any]


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def robot_texts(sim: SimulatorClient) -> list[str]:
    return [line["text"] for line in sim.transcript(ROOM) if line["from"] == "robot"]


def send_and_give_up(sim: SimulatorClient, text: str, after_s: float) -> None:
    """Send over a connection of its own and hang up when nothing came."""
    url = f"{sim.url}/wework/sendRawMessage?robotId={ROBOT}"
    body = {"socketType": 2, "list": [command(text)]}
    with urllib3.PoolManager(retries=False, timeout=after_s) as pool, pytest.raises(urllib3.exceptions.TimeoutError):
        pool.request("POST", url, json=body)


def held(sim: SimulatorClient, text: str) -> Json:
    """Wait until a send is in the ledger, and return its entry."""

    def find() -> Json | None:
        rows = (row for row in sim.ledger() if row["commands"])
        return next((row for row in rows if row["commands"][0]["receivedContent"] == text), None)

    entry: Json = sim.wait_for(find)
    return entry


def test_hold_before_accept_accepts_a_caller_that_waits(sim: SimulatorClient, background: ThreadPoolExecutor) -> None:
    sim.faults({"kind": "hold_before_accept", "seconds": 0.4})
    sent: Future[Json] = background.submit(send, sim, command("您好"))
    entry = held(sim, "您好")
    assert (entry["status"], entry["messageId"]) == (None, None)
    assert sent.result()["code"] == 200
    assert sim.wait_for_answer(ROOM)["text"] == "您好"


def test_hold_before_accept_never_accepts_a_caller_that_is_gone(sim: SimulatorClient) -> None:
    sim.faults({"kind": "hold_before_accept", "seconds": 0.5, "count": 1})
    send_and_give_up(sim, "走了", after_s=0.1)
    send(sim, command("还在"))
    time.sleep(0.5)
    assert robot_texts(sim) == ["还在"]
    entry = held(sim, "走了")
    assert (entry["status"], entry["messageId"], entry["executions"]) == (None, None, [])


def test_hold_after_accept_executes_before_it_answers(sim: SimulatorClient, background: ThreadPoolExecutor) -> None:
    sim.faults({"kind": "hold_after_accept", "seconds": 0.6})
    sent: Future[Json] = background.submit(send, sim, command("您好"))
    assert sim.wait_for_answer(ROOM)["text"] == "您好"
    assert not sent.done()
    entry = held(sim, "您好")
    assert entry["status"] is None
    assert sent.result()["data"] == entry["messageId"]
    assert held(sim, "您好")["status"] == 200


def test_hold_after_accept_keeps_what_a_gone_caller_sent(sim: SimulatorClient) -> None:
    sim.faults({"kind": "hold_after_accept", "seconds": 5})
    send_and_give_up(sim, "您好", after_s=0.1)
    assert sim.wait_for_answer(ROOM)["text"] == "您好"
    assert held(sim, "您好")["status"] is None


def test_timeout_before_is_never_accepted(sim: SimulatorClient) -> None:
    sim.faults({"kind": "timeout_before"})
    send_and_give_up(sim, "您好", after_s=0.2)
    assert held(sim, "您好")["messageId"] is None
    sim.faults({"kind": "timeout_before", "seconds": 0.05})
    assert send(sim, command("您好"))["code"] == 504
    assert robot_texts(sim) == []


def test_timeout_after_is_accepted_and_not_answered(sim: SimulatorClient) -> None:
    sim.faults({"kind": "timeout_after"})
    send_and_give_up(sim, "您好", after_s=0.2)
    assert sim.wait_for_answer(ROOM)["text"] == "您好"
    entry = held(sim, "您好")
    assert entry["messageId"]
    assert (entry["status"], entry["code"]) == (None, None)


def test_queries_pass_while_sends_are_held(sim: SimulatorClient) -> None:
    sim.faults({"kind": "timeout_before"})
    assert sim.call("GET", "/robot/robotInfo/online", ROBOT)["data"] is True


def test_http_status_refuses_everything_with_that_status(sim: SimulatorClient) -> None:
    sim.faults({"kind": "http_status", "value": 502, "count": 2})
    assert sim.call("GET", "/robot/robotInfo/online", ROBOT)["code"] == 502
    assert send(sim, command("您好"))["code"] == 502
    assert send(sim, command("您好"))["code"] == 200


def test_result_loss_executes_without_a_result(sim: SimulatorClient, door: Door) -> None:
    sim.faults({"kind": "result_loss", "count": 1})
    send(sim, command("丢"))
    send(sim, command("到"))
    sim.wait_for(lambda: door.bodies("result"))
    assert robot_texts(sim) == ["丢", "到"]
    assert door.results() == ["到"]
    assert held(sim, "丢")["results"] == []


def test_result_duplicate_and_late(sim: SimulatorClient, door: Door) -> None:
    sim.faults({"kind": "result_duplicate", "room": ROOM}, {"kind": "result_late", "room": "张三", "seconds": 0.3})
    send(sim, command("慢", "张三"), command("双"))
    sim.wait_for(lambda: len(door.results()) == 3)
    assert door.results() == ["双", "双", "慢"]


def test_result_reorder_lets_the_next_one_pass(sim: SimulatorClient, door: Door) -> None:
    sim.faults({"kind": "result_reorder", "count": 1})
    send(sim, command("一"), command("二"), command("三"))
    sim.wait_for(lambda: len(door.results()) == 3)
    assert door.results()[0] == "二"
    assert sorted(door.results()) == sorted(["一", "二", "三"])


def test_message_callbacks_duplicate_and_lost(sim: SimulatorClient, door: Door) -> None:
    sim.faults({"kind": "callback_duplicate", "count": 1})
    assert sim.say(ROBOT, "张三", "双", ROOM)["delivered"]
    sim.wait_for(lambda: door.texts() == ["双", "双"])
    assert len({body["messageId"] for body in door.bodies("message")}) == 1
    sim.faults({"kind": "callback_loss"})
    assert sim.say(ROBOT, "张三", "丢", ROOM)["delivered"] is False
    assert door.texts() == ["双", "双"]


def test_message_callbacks_late_and_out_of_order(
    sim: SimulatorClient, door: Door, background: ThreadPoolExecutor
) -> None:
    sim.faults({"kind": "callback_reorder", "count": 1})
    first: Future[Json] = background.submit(sim.say, ROBOT, "张三", "一", ROOM)
    sim.wait_for(lambda: sim.transcript(ROOM))
    sim.say(ROBOT, "张三", "二", ROOM)
    assert first.result()["delivered"]
    assert door.texts() == ["二", "一"]
    sim.faults({"kind": "callback_delay", "seconds": 0.3})
    assert sim.say(ROBOT, "张三", "三", ROOM)["delivered"]


def test_a_reordered_callback_comes_after_its_patience_all_the_same(sim: SimulatorClient, door: Door) -> None:
    sim.faults({"kind": "callback_reorder", "seconds": 0.1})
    assert sim.say(ROBOT, "张三", "一", ROOM)["delivered"]


def test_execute_twice_posts_twice_and_reports_once(sim: SimulatorClient, door: Door) -> None:
    sim.faults({"kind": "execute_twice"})
    send(sim, command("您好"))
    sim.wait_for(lambda: door.results())
    assert robot_texts(sim) == ["您好", "您好"]
    assert [execution["index"] for execution in held(sim, "您好")["executions"]] == [0, 0]
    assert door.results() == ["您好"]


def test_partial_of_a_single_target_fails_it(sim: SimulatorClient, door: Door) -> None:
    sim.faults({"kind": "partial", "value": 201103})
    send(sim, command("您好"))
    sim.wait_for(lambda: door.results())
    body = door.bodies("result")[0]
    assert (body["errorCode"], body["failList"]) == (201103, [ROOM])
    assert robot_texts(sim) == []


def test_slow_phone(sim: SimulatorClient) -> None:
    sim.faults({"kind": "slow_phone", "seconds": 0.4})
    began = time.monotonic()
    send(sim, command("您好"))
    sim.wait_for_answer(ROOM)
    assert time.monotonic() - began >= 0.4


def test_an_offline_robot_hears_nothing_and_works_off_its_queue_later(sim: SimulatorClient, door: Door) -> None:
    sim.faults({"kind": "offline", "robotId": ROBOT})
    sim.wait_for(lambda: door.bodies("offline"))
    assert sim.call("GET", "/robot/robotInfo/online", ROBOT)["data"] is False
    assert sim.say(ROBOT, "张三", "在吗", ROOM)["delivered"] is False
    assert send(sim, command("您好"))["code"] == 200
    assert robot_texts(sim) == []
    sim.faults()
    assert sim.wait_for_answer(ROOM)["text"] == "您好"
    sim.wait_for(lambda: door.bodies("online"))


def test_offline_ends_by_itself_after_its_seconds(sim: SimulatorClient) -> None:
    sim.faults({"kind": "offline", "seconds": 0.2})
    assert sim.call("GET", "/robot/robotInfo/online", ROBOT)["data"] is False
    sim.wait_for(lambda: sim.call("GET", "/robot/robotInfo/online", ROBOT)["data"])
    assert sim.control("GET", "faults") == {"faults": []}


def test_faults_strike_only_the_robot_and_room_that_they_name(sim: SimulatorClient, door: Door) -> None:
    sim.faults(
        {"kind": "callback_loss", "room": "别的群"},
        {"kind": "http_status", "robotId": "another"},
        {"kind": "result_loss", "probability": 0},
    )
    assert sim.say(ROBOT, "张三", "在吗", ROOM)["delivered"]
    assert sim.say(ROBOT, "张三", "在吗", "别的群")["delivered"] is False
    assert send(sim, command("您好"))["code"] == 200
    sim.wait_for(lambda: door.results())


def test_faults_strike_only_the_text_that_they_name(sim: SimulatorClient, door: Door) -> None:
    sim.faults(
        {"kind": "callback_loss", "match": "#m0000017"},
        {"kind": "http_status", "match": "#m0000018"},
        {"kind": "execute_twice", "match": "#m0000019"},
        {"kind": "result_loss", "match": "#m0000019"},
    )
    assert sim.say(ROBOT, "张三", "在吗 #m0000017", ROOM)["delivered"] is False
    assert sim.say(ROBOT, "张三", "在吗 #m0000018", ROOM)["delivered"]
    assert send(sim, command("您好 #m0000018"))["code"] == 500
    assert send(sim, command("您好 #m0000019"))["code"] == 200
    assert send(sim, command("您好 #m0000017"))["code"] == 200
    sim.wait_for(lambda: door.results() == ["您好 #m0000017"])
    assert robot_texts(sim) == ["您好 #m0000019"] * 2 + ["您好 #m0000017"]


def test_faults_are_shown_with_what_is_left_and_replaced_whole(sim: SimulatorClient) -> None:
    shown = sim.faults({"kind": "http_status", "count": 2}, {"kind": "result_loss", "room": ROOM})
    assert shown["faults"] == [
        {"kind": "http_status", "probability": 1.0, "count": 2},
        {"kind": "result_loss", "room": ROOM, "probability": 1.0},
    ]
    sim.call("GET", "/robot/robotInfo/online", ROBOT)
    assert sim.control("GET", "faults")["faults"][0]["count"] == 1
    sim.call("GET", "/robot/robotInfo/online", ROBOT)
    assert [row["kind"] for row in sim.control("GET", "faults")["faults"]] == ["result_loss"]
    assert sim.faults() == {"faults": []}
