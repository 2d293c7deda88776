"""What the door writes into the stream is what the consumer reads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from robots.stream import Callback, fields_of, from_fields
from worktool_ai.lib.ids import uuid7

CALLBACK = Callback(
    id=uuid7(),
    kind="message",
    robot_id=uuid7(),
    partition=3,
    received_at=datetime(2026, 11, 22, 8, 0, 0, 123_000, UTC),
    content_type="text/plain\nx",
    body=b"\0\nbody",
)


def encoded(fields):
    return {k.encode(): v if isinstance(v, bytes) else v.encode() for k, v in fields.items()}


def test_an_entry_reads_back_as_it_was_written():
    assert from_fields(3, encoded(fields_of(CALLBACK))) == CALLBACK


def test_an_entry_of_an_older_door_is_read():
    fields = {
        "id": str(CALLBACK.id),
        "kind": "message",
        "robot": str(CALLBACK.robot_id),
        "at": "1795334400123",
        "content_type": CALLBACK.content_type,
        "body": CALLBACK.body,
    }
    assert from_fields(3, encoded(fields)) == CALLBACK


@pytest.mark.parametrize("fields", [{}, {b"head": b"x", b"body": b""}, {b"junk": b"x"}])
def test_what_is_no_entry_of_ours_is_told(fields):
    with pytest.raises((KeyError, ValueError)):
        from_fields(3, fields)
