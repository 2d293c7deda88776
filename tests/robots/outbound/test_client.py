"""How the platform's answers are read, and what is known when there is none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from robots.client import Client, NotSent, Rejected, Throttled, Unknown, WorkToolError
from robots.client.rows import listed, parse_time, read_ran, read_sent
from robots.client.transport import Transport
from robots.simulator.testing import SimulatorClient, running_simulator
from worktool_ai.lib.crypto import Secret


class Who:
    id = UUID(int=1)
    requests_per_minute = None
    slug = "demo"
    robot_id = Secret("wt-secret-robot-id")
    robot_key = Secret("")


WHO = Who()


def client_of(url: str) -> Client:
    """A client that may ask as often as it likes."""
    return Client(Transport(url, 1.0), lambda robot: None)


SAY = {"type": 203, "titleList": ["客服群"], "receivedContent": "您好"}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    with running_simulator() as client:
        yield client


@pytest.fixture
def client(simulator: SimulatorClient) -> Client:
    simulator.faults()
    return client_of(simulator.url)


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """Answer one request with these bytes, whatever it was, and hang up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(timeout=5)
        listener.close()


def answer(status: str, body: str) -> bytes:
    content = body.encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (answer("200 OK", '{"code":0,"message":"ok","data":"19"}'), "19"),
        (answer("200 OK", '{"code":200,"msg":"ok","data":1900000000000000777}'), "1900000000000000777"),
        (answer("200 OK", '{"code":200,"message":"ok","data":null}'), ""),
        (answer("200 OK", '{"code":101011,"msg":"数据格式错误","data":null}'), Rejected),
        (answer("200 OK", '{"code":429,"message":"慢一点"}'), Throttled),
        (answer("429 Too Many", "slow down"), Throttled),
        (answer("404 Not Found", "nothing"), Rejected),
        (answer("302 Found", ""), Rejected),
        (answer("500 Oops", '{"code":200,"data":"1"}'), Unknown),
        (answer("200 OK", "<html>"), Unknown),
        (answer("200 OK", "[]"), Unknown),
        (answer("200 OK", "{}"), Unknown),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", Unknown),
        (b"not http at all\r\n\r\n", Unknown),
        (b"", Unknown),
    ],
)
def test_how_an_answer_is_read(reply: bytes, outcome: str | type[WorkToolError]) -> None:
    with raw_server(reply) as url:
        client = client_of(url)
        if isinstance(outcome, str):
            assert client.send_raw_message(WHO, [SAY]) == outcome
            return
        with pytest.raises(outcome) as caught:
            client.send_raw_message(WHO, [SAY])
        assert "wt-secret" not in repr(caught.value)


def test_a_refusal_carries_the_platforms_words() -> None:
    with raw_server(answer("200 OK", '{"code":101011,"msg":"数据格式错误"}')) as url:
        with pytest.raises(Rejected) as caught:
            client_of(url).send_raw_message(WHO, [SAY])
        assert (caught.value.code, caught.value.message) == (101011, "数据格式错误")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid", "https://127.0.0.1:9"])
def test_without_a_connection_nothing_was_sent(url: str) -> None:
    with pytest.raises(NotSent) as caught:
        client_of(url).send_raw_message(WHO, [SAY])
    assert "wt-secret" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_no_secure_connection_means_that_nothing_was_sent() -> None:
    with raw_server(b"plain text") as url, pytest.raises(NotSent):
        client_of(url.replace("http:", "https:")).send_raw_message(WHO, [SAY])


def test_no_answer_in_time_is_unknown(client: Client, simulator: SimulatorClient) -> None:
    simulator.faults({"kind": "timeout_before"})
    with pytest.raises(Unknown):
        client.send_raw_message(WHO, [SAY])


def test_nothing_leaves_after_its_time(client: Client, simulator: SimulatorClient) -> None:
    before = len(simulator.sends())
    with pytest.raises(NotSent):
        client.send_raw_message(WHO, [SAY], not_after=0.0)
    assert len(simulator.sends()) == before
    assert client.send_raw_message(WHO, [SAY])


def test_configuration_and_queries(client: Client, simulator: SimulatorClient) -> None:
    sent_id = client.send_raw_message(WHO, [SAY])
    (sent,) = client.list_raw_message(WHO, message_id=sent_id)
    assert (sent.message_id, sent.commands[0]["receivedContent"]) == (sent_id, "您好")
    assert sent.at
    simulator.wait_for(lambda: client.raw_msg_list(WHO, message_id=sent_id))
    (ran,) = client.raw_msg_list(WHO, message_id=sent_id)
    assert (ran.error_code, ran.success_list, ran.kind) == (0, ("客服群",), 203)
    assert client.robot_info(WHO).reply_all == 1
    assert client.online(WHO) is True
    assert client.get_callbacks(WHO) == []
    with pytest.raises(Rejected):
        client.bind(WHO, 1, "http://127.0.0.1:9/result")
    with pytest.raises(Rejected):
        client.update_robot_info(WHO, callback_url="http://127.0.0.1:9/message")
    assert client.qa_log_list(WHO) == []


def test_rows_are_read_leniently() -> None:
    assert listed({"list": [{"a": 1}, None]}) == listed([{"a": 1}, "x"]) == [{"a": 1}]
    assert listed(None) == listed("text") == []
    assert parse_time("2026-11-22 08:00:00") == parse_time("2026-11-22T00:00:00Z")
    assert parse_time(1767000000000) == parse_time("2025-12-29 17:20:00")
    assert parse_time("soon") is None
    assert read_sent({"messageId": 7, "body": "not json"}).commands == ()
    assert read_sent({"body": '{"type":203}'}).commands == ({"type": 203},)
    assert read_sent({"rawMsg": '[{"type":203}]'}).commands == ({"type": 203},)
    row = read_ran({"messageId": "7", "rawMsg": "{", "failList": '["甲"]', "rawSuccess": "201102", "timeCost": "x"})
    assert (row.error_code, row.fail_list, row.command, row.time_cost, row.at) == (201102, ("甲",), {}, None, None)
