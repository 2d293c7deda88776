"""The panel's page and the admin's first page, as each role gets them."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from robots import switches
from robots.models import CommandState, Reason, SwitchScope
from tests.monitoring import builders
from worktool_ai.accounts.models import Role
from worktool_ai.events.models import EventBatch
from worktool_ai.lib import clock, links

pytestmark = pytest.mark.django_db


def page(role: str = Role.OPERATOR, path: str = "/", **fields) -> str:
    client = Client()
    client.force_login(builders.person(role, **fields))
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def data_of(text: str, name: str) -> dict:
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', text)
    assert found
    content: dict = json.loads(found[1])
    return content


def test_strangers_are_sent_to_sign_in():
    answer = Client().get("/?robot=demo")
    assert answer.status_code == 302
    assert answer["Location"] == "/admin/login/?next=/%3Frobot%3Ddemo"


def test_the_page_runs_only_scripts_of_ours():
    client = Client()
    client.force_login(builders.person())
    answer = client.get("/")
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    scripts = re.findall(r"<script(?![^>]*application/json)[^>]*>", answer.content.decode())
    assert scripts
    assert all("src=" in script for script in scripts), "no inline script"
    assert " on" + "click" not in answer.content.decode()


def test_every_reason_and_state_has_a_sentence():
    texts = data_of(page(), "panel-texts")
    assert set(texts["reasons"]) == set(Reason.values)
    assert set(texts["commands"]) == set(CommandState.values)
    assert all(reason["text"] and reason["state"] in texts["states"] for reason in texts["reasons"].values())


def test_robots_to_choose_from_lie_in_the_scope():
    builders.robot("mine", name="我的机器人")
    builders.robot("theirs", name="别人的机器人")
    text = page(robots=["mine"])
    assert "我的机器人" in text
    assert "别人的机器人" not in text


def test_viewers_get_no_person_filter_and_no_links_into_closed_pages():
    text = page(Role.VIEWER)
    assert 'name="person"' not in text
    assert not any(data_of(text, "panel-options")["links"].values())


def test_the_simulators_token_is_only_for_those_who_may_change_robots(settings):
    settings.ENVIRONMENT, settings.SIMULATOR_TOKEN = "embedded", "sim-secret"
    settings.WORKTOOL_BASE_URL = "http://127.0.0.1:9"
    assert "http://127.0.0.1:9/#token=sim-secret" in page(Role.OWNER)
    assert "sim-secret" not in page(Role.OPERATOR)
    settings.ENVIRONMENT = "production"
    assert "127.0.0.1:9" not in page(Role.OWNER)


def tiles(role: str = Role.OPERATOR, **fields) -> dict[str, str]:
    client = Client()
    client.force_login(builders.person(role, **fields))
    return {str(tile.title): tile.value for tile in client.get(reverse("admin:index")).context["tiles"]}


def test_the_first_page_counts_what_is_there(settings):
    settings.LANGUAGE_CODE = "en"
    robot, other = builders.robot(), builders.robot("other")
    builders.line(robot, received_at=clock.now() - timedelta(days=2), reason="answered")
    builders.line(robot)
    builders.line(robot, reason="chatter")
    builders.line(robot, reason="flow_failed")
    builders.answer(builders.line(robot, reason="answered"), state=CommandState.UNKNOWN)
    builders.line(other, reason="answered")

    counted = list(tiles(robots=["demo"]).values())

    assert counted == ["4", "33%", "1", "0", "1", "1", "0"]


def test_the_first_page_says_on_top_that_sending_is_stopped():
    builders.robot()
    stop = switches.stop(SwitchScope.ALL, "演练", "王五")
    operator = page(path=reverse("admin:index"))
    assert "演练" in operator
    assert "王五" in operator
    assert reverse("admin:robots_switch_change", args=[stop.pk]) in operator
    switches.resume(stop.pk, "王五")
    assert "演练" not in page(path=reverse("admin:index"))


def test_only_who_may_answer_is_led_to_the_answer_box_and_to_resuming():
    links = data_of(page(), "panel-options")["links"]
    assert links["conversation"].endswith("/ID/change/")
    assert links["switch"]
    closed = data_of(page(Role.VIEWER), "panel-options")["links"]
    assert not {"conversation", "switch"} & set(closed)


def test_no_lines_is_a_dash_not_zero_percent():
    assert list(tiles().values())[1] == "—"


def test_the_event_log_can_be_read_by_engineers():
    EventBatch.objects.create(items=[{"type": "message_received", "robot": "demo", "group": "", "data": {}}])
    text = page(Role.ENGINEER, reverse("admin:events_eventbatch_changelist"))
    assert "message_received" in text


def test_links_lead_upwards_without_an_import(monkeypatch):
    monkeypatch.setattr(links, "_registered", {})
    line = builders.line(builders.robot())
    links.register("robots.message", "Panel", lambda message: f"/?ids={message.pk}")
    links.register("robots.message", "Nowhere", lambda message: None)
    assert links.for_row(line) == [("Panel", f"/?ids={line.pk}")]
