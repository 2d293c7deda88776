"""What becomes of each content type of the platform (textType), wherever it is said: none is without a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from flows.models import Step
from flows.services import start_runs
from robots.inbound.store import store_batch
from robots.models import Message, Robot
from tests.robots.inbound.builders import callback, line
from worktool_ai.lib.clock import now

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("seeded")]

QUESTION = "如何退款？"
PLACES: dict[str, dict[str, Any]] = {
    "private": {"groupName": "", "roomType": 2},
    "mentioned": {"atMe": "true"},
    "not mentioned": {},
}
ANSWERED = dict.fromkeys(PLACES, "answered")
ASKED = {"private": "asked_back", "mentioned": "asked_back", "not mentioned": "unsupported_type"}
SYSTEM = dict.fromkeys(PLACES, "system_line")
#: A picture without its content, voice, contact card, video, location, mini program, link, file, Tencent document,
#: group chain, chat record, collection form, group notification, Channels video and live, and what nobody has heard of.
WITHOUT_CONTENT = (2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 99)
#: (textType, text) -> place -> reason
FATES: dict[tuple[int, str], dict[str, str]] = {
    **{(text_type, QUESTION): ANSWERED for text_type in (0, 1, 15)},
    **{(text_type, ""): ASKED for text_type in (0, 15, *WITHOUT_CONTENT)},
    # a mention and nothing else is no content that was lost: the robot asks what is wanted
    (1, ""): {**ASKED, "not mentioned": "not_mentioned"},
    **{(text_type, "某某标题"): ASKED for text_type in (7, 8, 9, 22)},
    **{(10, text): SYSTEM for text in ("", "张三加入了群聊")},
    (22, ""): SYSTEM,
}


def test_every_content_type_has_its_fate_and_its_reason(robot: Robot, work: Callable[[], int]) -> None:
    wanted = {
        f"{text_type}/{text}/{place}": (text_type, text, place, reason)
        for (text_type, text), fates in FATES.items()
        for place, reason in fates.items()
    }
    callbacks = [
        callback(robot.pk, line(text, name, textType=text_type, **PLACES[place]))
        for name, (text_type, text, place, _reason) in wanted.items()
    ]
    with transaction.atomic():
        start_runs(store_batch([replace(one, received_at=now()) for one in callbacks]).lines)
    work()

    found = dict(Message.objects.filter(direction="in").values_list("sender_name", "reason"))
    assert found == {name: reason for name, (*_said, reason) in wanted.items()}
    steps = Step.objects.filter(node_type="ai_reply", run__conversation__sender_name__in=["3//private", "2//mentioned"])
    assert {step.patch["template"] for step in steps} == {"ask-for-text"}
