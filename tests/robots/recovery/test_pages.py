"""People see outages and unanswered questions, ask for another look, and settle questions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from robots import questions
from robots.models import CallbackGap, CommandState, GapCause, GapState, Message, Reason, Robot
from tests.monitoring import builders
from worktool_ai.accounts.models import AuditEntry, Role
from worktool_ai.lib import clock

pytestmark = pytest.mark.django_db

ADD = "admin:robots_callbackgap_add"


@pytest.fixture
def robot(db: None) -> Robot:
    return builders.robot()


def client_of(role: str = Role.ENGINEER, robots: list[str] | None = None) -> Client:
    client = Client()
    person = builders.person(role, robots)
    person.is_staff = True
    person.save()
    client.force_login(person)
    return client


def span(hours: float, until_hours: float = 0) -> dict[str, str]:
    now = clock.now()  # once: the second may turn between the two
    fields: dict[str, str] = {}
    for name, ago in (("since", hours), ("until", until_hours)):
        moment = timezone.localtime(now - timedelta(hours=ago))
        fields |= {f"{name}_0": f"{moment:%Y-%m-%d}", f"{name}_1": f"{moment:%H:%M:%S}"}
    return fields


def test_somebody_asks_for_another_look(robot: Robot):
    client = client_of()
    assert client.get(reverse(ADD)).status_code == 200
    asked = {"robot": str(robot.pk), **span(2, 1)}
    for _time in range(2):  # the second one looks at the same outage again
        answer = client.post(reverse(ADD), asked, follow=True)
        assert answer.status_code == 200
    gap = CallbackGap.objects.get()
    assert (gap.robot, gap.cause, gap.state) == (robot, GapCause.ASKED, GapState.OPEN)
    assert gap.until - gap.since == timedelta(hours=1)
    assert gap.due_at <= clock.now()
    assert AuditEntry.objects.filter(action="callbackgap.ask").count() == 2
    page = client.get(reverse("admin:robots_callbackgap_change", args=[gap.pk]))
    assert page.status_code == 200


@pytest.mark.parametrize("times", [(1, 2), (1, -1), (100, 1)])
def test_a_span_that_cannot_be_looked_at_is_refused(robot: Robot, times: tuple[float, float]):
    answer = client_of().post(reverse(ADD), {"robot": str(robot.pk), **span(*times)})
    assert answer.status_code == 200
    assert not CallbackGap.objects.exists()


def test_who_may_ask(robot: Robot):
    other = builders.robot("other")
    assert client_of(Role.OPERATOR).get(reverse(ADD)).status_code == 403
    client_of(Role.ENGINEER, ["other"]).post(reverse(ADD), {"robot": str(robot.pk), **span(2, 1)})
    assert not CallbackGap.objects.exists()
    client_of(Role.ENGINEER, ["other"]).post(reverse(ADD), {"robot": str(other.pk), **span(2, 1)})
    assert CallbackGap.objects.get().robot == other


def ago(minutes: float) -> Any:
    return clock.now() - timedelta(minutes=minutes)


def test_open_are_questions_after_which_nobody_answered(robot: Robot):
    def say(text: str, reason: str, **more: Any) -> Message:
        return builders.line(robot, text, sender=more.pop("sender", text), reason=reason, **more)

    open_ = {
        say("太旧", Reason.STALE_LINE, received_at=ago(20)).text,
        say("死信", Reason.DEAD_LETTER).text,
        say("补录后失败", Reason.FLOW_FAILED, is_backfill=True).text,
        say("回复前", Reason.STALE_LINE, sender="回复在前", received_at=ago(10)).text,
        say("没送到", Reason.STALE_LINE, sender="没送到", received_at=ago(10)).text,
    }
    say("平常失败", Reason.FLOW_FAILED)
    say("闲聊", Reason.CHATTER, is_backfill=True)
    say("已答", Reason.ANSWERED)
    for sender, minutes, state in (
        ("回复在前", 11, CommandState.DONE),
        ("回复在后", 9, CommandState.ACCEPTED),
        ("没送到", 9, CommandState.FAILED),
    ):
        asked = say(f"{sender}？", Reason.STALE_LINE, sender=sender, received_at=ago(10))
        if sender != "回复在后":
            open_.add(asked.text)
        answer = builders.answer(asked, state=state)
        Message.objects.filter(pk=answer.pk).update(received_at=ago(minutes))
    assert set(questions.open_questions().values_list("text", flat=True)) == open_


def test_a_person_settles_questions_and_is_remembered(robot: Robot):
    lines = [builders.line(robot, text, sender=text, reason=Reason.STALE_LINE) for text in ("一", "二", "三")]
    client = client_of(Role.OPERATOR)
    listing = reverse("admin:robots_openquestion_changelist")
    page = client.get(listing).content.decode()
    assert reverse("admin:robots_conversation_change", args=[lines[0].conversation_id]) in page
    chosen = [str(line.pk) for line in lines[:2]]
    client.post(listing, {"action": "settle", "_selected_action": chosen})
    assert list(questions.open_questions().values_list("text", flat=True)) == ["三"]
    assert {line.reason for line in Message.objects.filter(pk__in=chosen)} == {Reason.ANSWERED_BY_COLLEAGUE}
    entries = AuditEntry.objects.filter(action="question.close")
    assert {entry.target_id for entry in entries} == set(chosen)
    assert all(entry.actor is not None for entry in entries)
    assert client_of(Role.VIEWER).get(listing).status_code == 403


def test_the_api_lists_them_inside_the_scope(robot: Robot):
    builders.line(robot, "我的问题", reason=Reason.STALE_LINE)
    builders.line(builders.robot("other"), "别处的问题", reason=Reason.STALE_LINE)

    def texts(client: Client) -> list[str]:
        answer = client.get("/api/v1/open-questions/")
        assert answer.status_code == 200
        return [row["text"] for row in answer.json()["data"]["items"]]

    assert texts(client_of(Role.OPERATOR)) == ["别处的问题", "我的问题"]
    assert texts(client_of(Role.OPERATOR, ["demo"])) == ["我的问题"]
    assert Client().get("/api/v1/open-questions/").status_code in (401, 403)
