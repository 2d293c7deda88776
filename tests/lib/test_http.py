"""Outgoing requests: what is known of each, and which addresses are never asked."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lib.servers import certificate, serving
from worktool_ai.lib import http
from worktool_ai.lib.http import NotSent, OutcomeUnknown, Refused, is_public_address, request


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh_connections():
    http._pool.cache_clear()
    yield
    for allow_private in (True, False):
        http._pool(allow_private).clear()


def ask(server, path="/echo", **options):
    return request("POST", server.url + path, allow_private=True, timeout=options.pop("timeout", 5), **options)


def test_json_is_sent_as_utf8_and_the_whole_answer_comes_back(server):
    answer = ask(server, json={"text": "退款"}, headers={"X-Extra": "1"})
    assert answer.ok
    assert answer.json() == {"text": "退款"}
    assert "退款" in answer.text
    assert answer.headers["content-type"] == "application/json"
    _path, headers, body, _peer = server.seen[-1]
    assert "退款".encode() in body
    assert headers["x-extra"] == "1"


def test_connections_are_kept_and_used_again(server):
    ask(server)
    ask(server)
    assert server.seen[-1][3] == server.seen[-2][3]


def test_chunked_and_compressed_answers_are_read_whole_and_their_connections_kept(server):
    assert ask(server, "/chunked").body == b"one,two"
    assert ask(server, "/gzip").body == b"x" * 50_000
    assert server.seen[-1][3] == server.seen[-2][3]


def test_a_small_answer_that_unpacks_to_a_large_one_is_not_read_on(server):
    with pytest.raises(OutcomeUnknown, match="more than 1000 bytes"):
        ask(server, "/gzip", max_bytes=1000)


def test_a_redirect_is_an_answer_and_not_followed(server):
    assert ask(server, "/redirect").status == 302
    assert server.seen[-1][0] == "/redirect"


@pytest.mark.parametrize("path", ["/hang", "/drip", "/reset", "/big", "/cut"])
def test_what_breaks_after_sending_is_unknown_and_sent_once(server, path):
    before = len(server.seen)
    with pytest.raises(OutcomeUnknown) as caught:
        ask(server, path + "?robotId=wt-secret", timeout=0.3, max_bytes=100_000)
    assert len(server.seen) == before + 1
    assert "wt-secret" not in str(caught.value)
    assert "localhost" in str(caught.value)


def test_a_closed_port_and_an_unknown_name_were_not_sent():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(NotSent, match="no connection"):
            request("GET", f"http://127.0.0.1:{port}/", allow_private=True, timeout=2)
    with pytest.raises(NotSent, match="resolved"):
        request("GET", "http://name.invalid/", timeout=2)


def test_a_connection_that_is_never_taken_was_not_sent():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()), pytest.raises((NotSent, OutcomeUnknown)):
            request("GET", f"http://127.0.0.1:{full.getsockname()[1]}/", allow_private=True, timeout=0.2)


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "file:///etc/passwd", "gopher://x/", "http://", "nonsense", "//example.com",
            "http://user:pw@example.com/", "http://[::1", ""]
)  # fmt: skip
def test_odd_addresses_are_refused(url):
    with pytest.raises(Refused):
        request("GET", url)


def test_a_header_that_would_smuggle_another_is_refused(server):
    before = len(server.seen)
    with pytest.raises(Refused):
        ask(server, headers={"X": "a\r\nY: b"})
    assert len(server.seen) == before


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1",
             "100.100.100.200", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
             "[fd00::1]", "[fe80::1]", "224.0.0.1", "2130706433", "0x7f.1", "127.1", "0177.0.0.1"]
)  # fmt: skip
def test_private_addresses_are_refused_however_written(host):
    with pytest.raises((Refused, NotSent)) as caught:
        request("GET", f"http://{host}:9/", timeout=1)
    assert isinstance(caught.value, Refused) or "resolved" in str(caught.value)


@pytest.mark.parametrize(
    ("address", "public"),
    [("8.8.8.8", True), ("2400:3200::1", True), ("::ffff:8.8.8.8", True), ("::ffff:10.0.0.1", False),
     ("64:ff9b::808:808", True), ("fec0::1", False), ("198.18.0.1", False), ("::", False), ("ff0e::1", False)]
)  # fmt: skip
def test_public_addresses(address, public):
    assert is_public_address(address) is public


def resolving_to(monkeypatch, *answers: list[str]) -> list[str]:
    """Let names resolve to these addresses, one answer after the other, and record where connections go."""
    queue, connected = list(answers), []

    def getaddrinfo(host, port, *_args, **_options):
        addresses = queue.pop(0) if len(queue) > 1 else queue[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def create_connection(address, *_args):
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(http, "create_connection", create_connection)
    return connected


def test_one_private_address_among_public_ones_refuses_the_name(monkeypatch):
    connected = resolving_to(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(Refused):
        request("GET", "http://mixed.example/")
    assert connected == []


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    connected = resolving_to(monkeypatch, ["8.8.8.8"], ["127.0.0.1"])
    with pytest.raises(NotSent):
        request("GET", "http://rebinding.example/")
    assert connected == ["8.8.8.8"]


def test_a_guarded_request_never_finds_an_unguarded_connection(server):
    ask(server)
    with pytest.raises(Refused):
        request("POST", server.url + "/echo")


def test_proxies_of_the_environment_are_not_used(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask(server).ok


def test_certificates_are_verified(tmp_path, monkeypatch):
    path = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with serving(context) as server:
        with pytest.raises(NotSent, match="self-signed certificate"):
            ask(server)
        trusting = ssl.create_default_context(cafile=str(path))
        monkeypatch.setattr(http, "tls_context", lambda: trusting)
        http._pool.cache_clear()
        assert ask(server, json=[1]).json() == [1]
        with pytest.raises(NotSent, match="not valid for"):
            request("GET", server.url.replace("localhost", "127.0.0.1"), allow_private=True)


def test_tls_spoken_to_a_plain_server_was_not_sent(server):
    with pytest.raises(NotSent, match="secure"):
        request("GET", server.url.replace("http://", "https://"), allow_private=True, timeout=2)


def test_a_connection_that_was_closed_meanwhile_is_not_used_again():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place, pool = http.Place("http", "127.0.0.1", listener.getsockname()[1]), http.Pool(guarded=False, maxsize=1)
        first = pool.take(place, 1.0)
        listener.accept()[0].close()
        select.select([first.sock], [], [], 5)
        pool.put(place, first)
        second = pool.take(place, 1.0)
        assert (second is first, first.sock is None) == (False, True)
        second.close()


def test_connections_past_the_bound_are_closed_and_idle_ones_age(server):
    place = http.Place("http", "127.0.0.1", server.server_port)
    pool = http.Pool(guarded=False, maxsize=1, idle_s=0.0)
    first, second = pool.take(place, 1.0), pool.take(place, 1.0)
    pool.put(place, first)
    pool.put(place, second)
    assert (first.sock is None, second.sock is None) == (False, True)
    third = pool.take(place, 1.0)
    assert third is not first
    third.close()
    pool.clear()
