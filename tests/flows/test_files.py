"""A template with a picture: from the customer's line to the picture in the chat, and the failure before the send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from robots import files as robot_files
from robots import outbox
from robots.connecting.public import PublicAddress, Reach
from robots.models import Command, Message, Robot
from robots.simulator.testing import SimulatorClient, running_simulator
from templates_lib import caches, files
from templates_lib.file_kinds import stored_file
from templates_lib.models import MessageTemplate
from tests.flows.conftest import Say
from tests.templates_lib import samples

pytestmark = pytest.mark.django_db(transaction=True)

ROOM = "客服群"


@pytest.fixture
def simulator(settings: Any, live_server: Any) -> Iterator[SimulatorClient]:
    """Its phone fetches from this process' own pages."""
    with running_simulator() as client:
        settings.WORKTOOL_BASE_URL = client.url
        settings.PUBLIC_URL = live_server.url
        yield client


@pytest.fixture
def with_picture(seeded: None) -> Callable[..., None]:
    """Give all templates of 支付问题 the same picture; ``body=""`` leaves nothing but that."""

    def give(**fields: Any) -> None:
        upload = files.Upload(stored_file("退款步骤.png", samples.PNG), samples.PNG)
        files.store(upload)
        named = {"attachment_id": upload.file.digest, "attachment_name": upload.file.name}
        MessageTemplate.objects.filter(category__name="支付问题").update(**named, **fields)
        caches.clear()

    return give


def sent(simulator: SimulatorClient) -> list[dict[str, Any]]:
    return [command for entry in simulator.sends() for command in entry["commands"]]


def answer(say: Say, work: Callable[[], int]) -> None:
    say("如何退款？", at_me=True)
    work()
    while outbox.drain():
        pass


def test_the_picture_follows_its_text_into_the_same_room(
    simulator: SimulatorClient, with_picture: Any, say: Say, work: Any, robot: Robot
) -> None:
    with_picture()
    answer(say, work)

    lines = simulator.wait_for(lambda: len(found := simulator.transcript(ROOM)) > 1 and found)
    assert [(line["from"], line["textType"]) for line in lines] == [("robot", 1), ("robot", 2)]
    assert lines[0]["atList"] == ["张三"]
    text, push = sent(simulator)
    assert (text["type"], push["type"], push["titleList"], push["fileType"]) == (203, 218, [ROOM], "image")
    assert push["objectName"].startswith("退款步骤_")
    assert push["objectName"].endswith(".png")
    assert lines[1]["fileUrl"] == push["fileUrl"]
    shown = Message.objects.filter(direction="out").order_by("id")
    assert [(line.text_type, line.text) for line in shown][1:] == [(2, "退款步骤.png")]


def test_a_template_without_text_sends_its_file_alone(
    simulator: SimulatorClient, with_picture: Any, say: Say, work: Any, robot: Robot
) -> None:
    with_picture(body="", private_body="", variants=[])
    answer(say, work)

    (push,) = sent(simulator)
    assert push["type"] == 218
    assert simulator.wait_for_answer(ROOM)["textType"] == 2


def test_a_file_that_nobody_could_fetch_fails_before_it_is_sent(
    simulator: SimulatorClient, with_picture: Any, say: Say, work: Any, robot: Robot, settings: Any
) -> None:
    with_picture()
    seen = PublicAddress("http://192.168.1.5:8000", Reach.PRIVATE, "", 1)
    with (
        mock.patch.object(robot_files, "is_loopback_url", return_value=False),  # as if the platform were elsewhere
        mock.patch.object(robot_files, "look_at_ourselves", return_value=seen),
    ):
        answer(say, work)

    assert [command["type"] for command in sent(simulator)] == [203]
    failed = Command.objects.get(kind=218)
    assert (failed.state, failed.platform_id) == ("failed", "")
    assert "192.168.1.5" in failed.error_reason
    assert "PUBLIC_URL" in failed.error_reason


def test_an_expired_address_is_a_failed_download(
    simulator: SimulatorClient, with_picture: Any, say: Say, work: Any, robot: Robot, settings: Any
) -> None:
    with_picture()
    settings.FILE_URL_S = -1
    answer(say, work)

    push = simulator.wait_for(
        lambda: next((e for e in simulator.sends() if e["commands"][0]["type"] == 218 and e["executions"]), None)
    )
    assert push["executions"][0]["errorCode"] == 201107
    assert [line["textType"] for line in simulator.transcript(ROOM)] == [1]
