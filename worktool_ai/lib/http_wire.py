"""HTTP/1.1 as bytes: a request is written in one piece, an answer is read by httptools, which also serves us.

http.client writes a request in pieces and reads headers with the email package, which costs several times as much as
the exchange itself (docs/performance.md).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

__all__ = ["AnswerReader", "BrokenAnswer", "request_bytes"]

MAX_HEADER_BYTES = 64 * 1024
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_VALUE = re.compile(r"[\r\n\0]")
_NO_TARGET = re.compile(r"[^\x21-\x7e]")
#: How long a body is and whether the connection stays open is ours to say.
_OURS = frozenset({"content-length", "transfer-encoding", "connection"})
#: Methods that say so even when their body is empty.
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
#: zlib finds out by itself whether it is gzip or zlib.
_ANY_WRAPPING = zlib.MAX_WBITS | 32


class BrokenAnswer(OSError):
    """What came is no whole answer, or a larger one than was asked for."""


def request_bytes(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a request as it goes over the wire; raises ``ValueError`` for what would smuggle in something else."""
    if _NO_TARGET.search(target) or not _NAME.fullmatch(method):
        raise ValueError("a path or method that cannot be sent")
    lines = [f"{method} {target or '/'} HTTP/1.1"]
    given = {name.lower() for name in headers}
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _NO_VALUE.search(value):
            raise ValueError("a header that cannot be sent")
        if name.lower() not in _OURS:
            lines.append(f"{name}: {value}")
    if "accept-encoding" not in given:
        lines.append("Accept-Encoding: identity")
    if body or method in _WITH_BODY:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class AnswerReader:
    """Takes bytes as they come until :attr:`is_whole`; ``can_go_on`` tells whether the connection may be used again.

    ``max_bytes`` bounds the body, packed and unpacked. Methods raise :class:`BrokenAnswer`.
    """

    def __init__(self, method: str, max_bytes: int) -> None:
        self.is_whole = False
        self.can_go_on = False
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self._has_body = method != "HEAD"
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._header_size: int | None = 0
        self._parser: Any = HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take the next bytes; none at all mean that the other side has closed the connection."""
        if not data:
            return self._close()
        if self._header_size is not None:
            self._header_size += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.can_go_on = False
            if not self.is_whole:
                raise BrokenAnswer("what came is not HTTP") from error
        if self._header_size is not None and self._header_size > MAX_HEADER_BYTES:
            raise BrokenAnswer("the headers do not end")
        if self._size > self._max_bytes:
            raise self._too_large()
        if self.is_whole:
            self._parser = None  # it knows us: left to the collector the two would stay for long
        return None

    def body(self, *, unpack: bool = True) -> bytes:
        """Return the body; with ``unpack`` as it was before it was compressed."""
        body = b"".join(self._parts)
        encoding = self._header("content-encoding").lower()
        return self._unpacked(body) if unpack and body and encoding in _PACKED else body

    def _close(self) -> None:
        """Without a length, the end of the connection is the end of the body."""
        has_length = self._header("content-length") or self._header("transfer-encoding")
        if self._header_size is not None or has_length:
            raise BrokenAnswer("the connection was closed in the middle of the answer")
        self.is_whole = True

    def _unpacked(self, body: bytes) -> bytes:
        reader = zlib.decompressobj(_ANY_WRAPPING)
        try:
            unpacked = reader.decompress(body, self._max_bytes + 1)
        except zlib.error as error:
            raise BrokenAnswer("the answer cannot be unpacked") from error
        if len(unpacked) > self._max_bytes:
            raise self._too_large()
        if not reader.eof:
            raise BrokenAnswer("the packed answer has no end")
        return unpacked

    def _too_large(self) -> BrokenAnswer:
        return BrokenAnswer(f"the answer has more than {self._max_bytes} bytes")

    def _header(self, name: str) -> str:
        return next((value for known, value in self.headers if known.lower() == name), "")

    # -- called by the parser ------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.can_go_on = False  # more than was asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.is_whole:
            self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self.is_whole:
            return
        self.status = self._parser.get_status_code()
        self._header_size = None
        if not self._has_body:
            self.is_whole = True

    def on_body(self, body: bytes) -> None:
        if not self.is_whole:
            self._size += len(body)
            self._parts.append(body)

    def on_message_complete(self) -> None:
        if self.is_whole:
            return
        if 100 <= self.status < 200:  # "go on": the answer is yet to come
            self.headers.clear()
            self._header_size = 0
            return
        self.is_whole = True
        self.can_go_on = self._parser.should_keep_alive()
