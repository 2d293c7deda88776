"""A run's page tells what happened, step by step, to whoever may know it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from flows.models import Run, RunState
from personas.models import AICall
from robots.models import Command, Reason
from tests.flows.conftest import run_of
from tests.monitoring import builders
from worktool_ai.accounts.models import Role
from worktool_ai.lib import links
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db(transaction=True)


def signed_in(role: str = Role.OWNER, **fields: Any) -> Client:
    client = Client()
    client.force_login(builders.person(role, **fields))
    return client


@pytest.fixture
def run(seeded, say, work) -> Run:
    line = say("如何退款？")
    work()
    return run_of(line)


def page(run: Run) -> str:
    return reverse("admin:flows_run_change", args=[run.pk])


def listed(client: Client, **query: str) -> list[Any]:
    answer = client.get(reverse("admin:flows_run_changelist"), query)
    assert answer.status_code == 200
    return [row.pk for row in answer.context["cl"].result_list]


def test_the_page_tells_the_whole_way(run):
    answer = signed_in().get(page(run))
    shown = answer.content.decode()
    command = Command.objects.get(run_id=run.pk)
    assert "如何退款？" in shown
    assert command.text.splitlines()[0] in shown
    assert reverse("admin:robots_command_change", args=[command.pk]) in shown
    assert reverse("admin:robots_message_change", args=[run.message_id]) in shown
    for step in run.steps.all():
        assert f'id="step-{step.node_id}"' in shown
    assert "intentConfidence" in shown, "patches are told under the names that conditions use"
    assert "静默：群里的闲聊" in shown, "each rule that was tried is told"
    assert "send_commands" in shown
    assert "(&#x27;" not in shown, "states and reasons are labels, not pairs"
    ran = [entry.node_id for entry in answer.context["timeline"].entries if entry.step]
    assert ran == list(run.steps.order_by("ordinal").values_list("node_id", flat=True))
    assert answer.context["timeline"].calls


def test_the_picture_shows_which_way_was_taken(run):
    picture = signed_in().get(page(run)).context["graph"].picture
    states = {box.id: box.state for box in picture.boxes}
    assert states["reply"] == "done"
    assert states["alert_save"] == "skipped"
    assert {line.state for line in picture.lines} >= {"taken", "skipped"}


def test_an_effect_that_waits_is_told_before_its_step(run):
    assert run.state == RunState.SETTLING
    last = signed_in().get(page(run)).context["timeline"].entries[-1]
    assert (last.node_id, last.step) == ("status", None)
    assert [(effect.kind, effect.outcome) for effect in last.effects] == [("wait_for", None)]


def test_an_operator_reads_the_run_but_neither_effects_nor_calls(run):
    answer = signed_in(Role.OPERATOR).get(page(run))
    timeline = answer.context["timeline"]
    assert timeline.entries
    assert not timeline.calls
    assert not any(entry.effects for entry in timeline.entries)


def test_a_viewer_sees_no_run(run):
    client = signed_in(Role.VIEWER)
    assert client.get(page(run)).status_code == 403
    assert client.get(reverse("admin:flows_run_changelist")).status_code == 403


def test_nobody_changes_a_run(run):
    client = signed_in()
    assert client.post(page(run), {"state": "queued"}).status_code == 403
    assert client.get(reverse("admin:flows_run_add")).status_code == 403


@pytest.mark.parametrize("words", ["如何退款", "张三", "run", "line"])
def test_runs_are_found_by_id_line_person_and_words(run, say, words):
    say("你们几点上班", sender="李四")
    wanted = {"run": str(run.pk), "line": str(run.message_id)}.get(words, words)
    assert listed(signed_in(), q=wanted) == [run.pk]


def test_the_list_says_reasons_in_words_even_without_a_colour(run, say, work):
    line = say("哈哈哈", sender="王五")
    work()
    reason = run_of(line).get_reason_display()
    shown = signed_in().get(reverse("admin:flows_run_changelist")).content.decode()
    assert run_of(line).reason == Reason.CHATTER
    assert escape(reason) in shown


def test_runs_are_narrowed_by_state_reason_robot_and_version(run, say):
    say("你们几点上班", sender="李四")
    client = signed_in()
    assert listed(client, state__exact="queued") != [run.pk]
    assert listed(client, reason__exact=run.reason) == [run.pk]
    assert len(listed(client, version__id__exact=str(run.version_id))) == 2
    assert len(listed(client, conversation__robot__id__exact=str(run.conversation.robot_id))) == 2


def test_a_run_outside_the_scope_is_not_there(run):
    client = signed_in(Role.OPERATOR, robots=["another"])
    assert listed(client) == []
    assert client.get(page(run)).status_code in (302, 404)


def test_each_part_of_a_run_has_its_page(run):
    client = signed_in()
    parts = [("step", run.steps), ("effect", run.effects), ("wait", run.waits)]
    for model, rows in parts:
        for row in rows.all()[:1]:
            assert client.get(reverse(f"admin:flows_{model}_change", args=[row.pk])).status_code == 200
    lease = reverse("admin:flows_conversationlease_change", args=[run.conversation_id])
    assert client.get(lease).status_code == 200


def test_lines_and_commands_lead_to_their_run(run):
    command = Command.objects.get(run_id=run.pk)
    assert page(run) in [address for _title, address in links.for_row(run.message)]
    assert page(run) in [address for _title, address in links.for_row(command)]
    call = AICall.objects.filter(run_id=run.pk).first()
    client = signed_in()
    for model, row in (("robots_message", run.message), ("robots_command", command), ("personas_aicall", call)):
        assert page(run) in client.get(reverse(f"admin:{model}_change", args=[row.pk])).content.decode(), model


def test_a_run_that_retention_has_removed_is_not_linked(run):
    command = Command.objects.get(run_id=run.pk)
    command.run_id = uuid7()
    assert links.for_row(command) == []


def test_a_paused_run_is_resumed_and_a_run_is_stopped_by_who_may_edit_flows(run):
    Run.objects.update(state=RunState.PAUSED, recoveries=6, error="interrupted 6 times")
    lists = reverse("admin:flows_run_changelist")

    def act(role: str, action: str) -> str:
        sent = {"action": action, "_selected_action": [str(run.pk)]}
        client = signed_in(role)
        client.post(f"{lists}?state=paused", sent)
        run.refresh_from_db()
        return str(run.state)

    assert "interrupted 6 times" in signed_in().get(page(run)).content.decode()
    assert act(Role.OPERATOR, "resume") == RunState.PAUSED, "an operator looks on"
    assert act(Role.ENGINEER, "resume") == RunState.QUEUED
    assert run.recoveries == 0
    assert act(Role.ENGINEER, "stop") == RunState.QUEUED, "it is not in that list any more"
    Run.objects.update(state=RunState.PAUSED)
    assert act(Role.OWNER, "stop") == RunState.STOPPED
