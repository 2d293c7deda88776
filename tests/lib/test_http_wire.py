"""Answers as they come over the wire, in one piece and byte by byte, and requests as they leave."""

from __future__ import annotations

import gzip
import zlib

import pytest

from worktool_ai.lib.http_wire import AnswerReader, BrokenAnswer, request_bytes

LIMIT = 1000


def read(wire: bytes, step: int, method: str = "POST", *, closes: bool = False) -> AnswerReader:
    """Feed an answer in pieces of ``step`` bytes, and the end of the connection if it ``closes``."""
    reader = AnswerReader(method, LIMIT)
    pieces = [wire[at : at + step] for at in range(0, len(wire), step)]
    for piece in [*pieces, b""] if closes else pieces:
        if not reader.is_whole:
            reader.feed(piece)
    return reader


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("wire", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, b"hi"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n", 200, b"hi!"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nhi", 201, b"hi"),
        (b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
    ],
)
def test_a_whole_answer_leaves_the_connection_to_the_next(wire, status, body, step):
    reader = read(wire, step)
    assert (reader.is_whole, reader.can_go_on) == (True, True)
    assert (reader.status, reader.body()) == (status, body)


@pytest.mark.parametrize("step", [1, 100_000])
@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", b"hi"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 200 OK\r\n\r\nall that comes", b"all that comes"),
    ],
)
def test_a_connection_that_ends_with_its_answer_is_not_used_again(wire, body, step):
    reader = read(wire, step, closes=True)
    assert (reader.is_whole, reader.can_go_on, reader.body()) == (True, False, body)


@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"junk", b"HTTP/1.1 200 OK\r\n"])
def test_more_than_was_asked_for_spoils_the_connection_and_not_the_answer(more):
    reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" + more, 100_000)
    assert (reader.is_whole, reader.can_go_on, reader.body()) == (True, False, b"hi")
    assert len(reader.headers) == 1


def test_an_answer_to_head_has_no_body():
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 100, "HEAD").is_whole


@pytest.mark.parametrize("step", [1, 100_000])
@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nzzz",
    ],
)
def test_what_is_cut_or_broken_or_too_large_is_no_answer(wire, step):
    with pytest.raises(BrokenAnswer):
        read(wire, step, closes=True)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_packed_body_is_unpacked_as_far_as_it_may(pack):
    def answered(body: bytes, encoding: bytes = b"gzip") -> AnswerReader:
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body))
        return read(head + body, 100_000)

    assert answered(pack("退款".encode())).body().decode() == "退款"
    assert answered(pack(b"x")).body(unpack=False) == pack(b"x")
    assert answered(b"as it is", b"identity").body() == b"as it is"
    for broken in (pack(b"x" * 5000), pack(b"x" * 900)[:-3], b"not packed"):
        with pytest.raises(BrokenAnswer):
            answered(broken).body()


def test_a_request_is_framed_by_us_whatever_its_headers_say():
    headers = {"Host": "h", "content-length": "99", "Transfer-Encoding": "chunked", "X": "é"}
    wire = request_bytes("POST", "/p?q=1", headers, "您".encode())
    head, _, body = wire.partition(b"\r\n\r\n")
    assert body.decode() == "您"
    assert head.decode("latin-1").split("\r\n") == [
        "POST /p?q=1 HTTP/1.1", "Host: h", "X: é", "Accept-Encoding: identity", "Content-Length: 3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/a b", {}),
        ("GET", "/\r\nX: y", {}),
        ("GET /", "/", {}),
        ("GET", "/", {"X": "a\r\nY: b"}),
        ("GET", "/", {"X": "a\nb"}),
        ("GET", "/", {"X: a\r\nY": "b"}),
        ("GET", "/", {"X": "您"}),
    ],
)
def test_nothing_is_smuggled_into_a_request(method, target, headers):
    with pytest.raises(ValueError, match=r".+"):
        request_bytes(method, target, headers, b"")
