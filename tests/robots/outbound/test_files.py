"""Whether phones can fetch what we send, and what becomes of it where they cannot."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import redis

from robots import files, outbox
from robots.connecting.public import PublicAddress, Reach
from robots.models import Command
from robots.simulator.testing import SimulatorClient
from tests.robots.outbound.conftest import Queue, state_of

ELSEWHERE = "https://platform.example.com"


@pytest.mark.parametrize(
    ("platform", "reach", "is_blocked"),
    [
        (ELSEWHERE, Reach.PUBLIC, False),
        (ELSEWHERE, Reach.PRIVATE, True),
        (ELSEWHERE, Reach.THIS_MACHINE, True),
        (ELSEWHERE, Reach.UNRESOLVED, True),
        ("http://127.0.0.1:8001", Reach.THIS_MACHINE, False),
    ],
)
def test_only_what_certainly_fails_is_blocked(settings: Any, platform: str, reach: Reach, is_blocked: bool) -> None:
    settings.WORKTOOL_BASE_URL = platform
    seen = PublicAddress("http://wt.example.com", reach, "not from here", 1)
    with mock.patch.object(files, "look_at_ourselves", return_value=seen):
        told = files.unreachable()
    assert bool(told) == is_blocked
    assert not told or ("http://wt.example.com" in told and "PUBLIC_URL" in told)


def test_an_unknown_address_blocks_nothing(settings: Any) -> None:
    settings.WORKTOOL_BASE_URL = ELSEWHERE
    with mock.patch.object(files, "look_at_ourselves", side_effect=redis.ConnectionError):
        assert files.unreachable() == ""


def test_what_shares_a_request_with_such_a_file_is_sent_without_it(
    queue: Queue, simulator: SimulatorClient, settings: Any
) -> None:
    settings.WORKTOOL_REQUEST_LIMIT, settings.WORKTOOL_REQUEST_RESERVE = 1, 0
    text = queue("好的", room="甲群")
    push = {"type": 218, "titleList": ["乙群"], "objectName": "a_1.png", "fileUrl": "http://x/a", "fileType": "image"}
    file = queue("a.png", room="乙群", kind=218, payload=push)
    with mock.patch.object(files, "unreachable", return_value="set PUBLIC_URL"):
        outbox.drain()
        assert (state_of(text), state_of(file)) == ("queued", "failed")
        settings.WORKTOOL_REQUEST_LIMIT = 10
        Command.objects.update(not_before=None)
        outbox.drain()
    assert state_of(text) == "accepted"
    assert [entry["commands"][0]["type"] for entry in simulator.sends()] == [203]
    assert Command.objects.get(pk=file.pk).error_reason == "set PUBLIC_URL"
