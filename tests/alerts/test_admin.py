"""The admin pages of alerts, as people use them."""

from __future__ import annotations

import re

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from alerts import caches, seeds, services
from alerts.deliveries import build_channel
from alerts.models import Alert, AlertRule, AlertState, Delivery, NotificationChannel, Recipient
from robots.models import Command
from tests.alerts.builders import draft, make_robot
from tests.wire import Scripted, running_wire_server
from worktool_ai.accounts.models import AuditEntry, User
from worktool_ai.events.models import EventBatch

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _planted():
    seeds.seed()


def signed_in(client, role="owner", **fields):
    client.force_login(User.objects.create_user(role, role=role, is_staff=True, **fields))
    return client


@pytest.fixture
def owner(client):
    return signed_in(client)


def page(client, name: str, /, *args, **query):
    return client.get(reverse(f"admin:alerts_{name}", args=args), query)


def post(client, name: str, /, *args, **data):
    return client.post(reverse(f"admin:alerts_{name}", args=args), data)


def told(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


@pytest.fixture
def alert():
    raised = services.raise_alert(draft(robot_id=make_robot().id))
    services.notify(raised.id, rules=["risk-intent"], level="critical")
    return Alert.objects.get(pk=raised.id)


@pytest.mark.parametrize("model", ["alert", "alertrule", "notificationchannel", "recipient", "delivery"])
def test_every_list_opens_and_can_be_searched(owner, alert, model):
    assert page(owner, f"{model}_changelist").status_code == 200
    assert page(owner, f"{model}_changelist", q="x").status_code == 200


@pytest.mark.parametrize("model", [Alert, AlertRule, NotificationChannel, Recipient, Delivery])
def test_every_row_opens(owner, alert, model):
    for row in model.objects.all():
        assert page(owner, f"{model._meta.model_name}_change", row.pk).status_code == 200


def test_an_alert_shows_who_was_told(owner, alert):
    shown = page(owner, "alert_change", alert.pk).content.decode()

    assert "机器人通知" in shown
    assert "值班主管" in shown
    assert "张三" in shown


def test_taking_care_and_resolving_by_button(owner, alert):
    assert post(owner, "alert_acknowledge", alert.pk).status_code == 302
    assert post(owner, "alert_acknowledge", alert.pk).status_code == 403
    assert post(owner, "alert_resolve", alert.pk).status_code == 302

    alert.refresh_from_db()
    assert alert.state == AlertState.RESOLVED
    assert AuditEntry.objects.filter(action="alert.resolve").count() == 1


def test_several_alerts_at_once(owner, alert):
    chosen = {"action": "acknowledge_selected", "_selected_action": [str(alert.pk)]}

    response = post(owner, "alert_changelist", **chosen)

    alert.refresh_from_db()
    assert response.status_code == 302
    assert alert.state == AlertState.ACKNOWLEDGED
    post(owner, "alert_changelist", **{**chosen, "action": "resolve_selected"})
    assert Alert.objects.get().state == AlertState.RESOLVED


def test_alerts_of_other_robots_are_not_seen(client, alert):
    operator = signed_in(client, "operator", scope_kind="robots", scope_values=["another"])

    assert str(alert.pk) not in page(operator, "alert_changelist").content.decode()
    assert post(operator, "alert_acknowledge", alert.pk).status_code == 404


def test_a_viewer_handles_nothing(client, alert):
    assert post(signed_in(client, "viewer"), "alert_acknowledge", alert.pk).status_code in (403, 404)
    alert.refresh_from_db()
    assert alert.state == AlertState.OPEN


def test_a_rule_is_written_in_its_conditions_own_fields(owner):
    form = page(owner, "alertrule_add", condition="keyword").content.decode()
    prefix = re.search(r'name="([^"]*)words"', form).group(1)
    fields = {
        "slug": "mine",
        "name": "提到竞品",
        "level": "info",
        "code": "rival",
        "order": "5",
        "cooldown_s": "60",
        "is_active": "on",
        "condition": "keyword",
        f"{prefix}words": "某某家\n隔壁店",
        f"{prefix}mode": "any",
    }

    response = post(owner, "alertrule_add", **fields)

    assert response.status_code == 302, response.context["adminform"].form.errors
    caches.clear()
    rule = caches.rules_by_slug()["mine"]
    assert rule.condition.check({"originalMessage": "隔壁店更便宜"}).matched


def test_a_condition_that_does_not_compile_is_refused_at_its_field(owner):
    form = page(owner, "alertrule_add", condition="cel").content.decode()
    prefix = re.search(r'name="([^"]*)expression"', form).group(1)
    fields = {
        "slug": "x",
        "name": "x",
        "level": "info",
        "code": "x",
        "order": "5",
        "cooldown_s": "60",
        "condition": "cel",
    }

    response = post(owner, "alertrule_add", **fields, **{f"{prefix}expression": 'intnt == "risk"'})

    assert response.status_code == 200
    assert "intnt" in response.content.decode()


def test_a_rule_that_cannot_hold_says_so_in_the_list(owner):
    AlertRule.objects.filter(slug="spam").update(condition="gone")

    assert "gone" in page(owner, "alertrule_changelist").content.decode()


def channel(kind: str, **config) -> NotificationChannel:
    row = NotificationChannel.objects.get(kind=kind)
    row.config = {**row.config, **config}
    row.save()
    return row


def test_a_trial_through_the_panel_is_an_event(owner):
    response = post(owner, "notificationchannel_try_it", channel("in_app").pk)

    assert response.status_code == 302
    (batch,) = EventBatch.objects.all()
    assert batch.items[0]["type"] == "notification_sent"


def test_a_trial_through_the_robot_queues_a_command_to_the_chosen_person(owner):
    make_robot()
    row, person = channel("robot"), Recipient.objects.get()

    post(owner, "notificationchannel_try_it", row.pk, **{"try_it-recipient": str(person.pk)})

    assert Command.objects.get().target == "值班主管"


def test_a_trial_through_the_robot_needs_a_person(owner):
    make_robot()

    post(owner, "notificationchannel_try_it", channel("robot").pk)

    assert not Command.objects.exists()


def test_a_trial_that_fails_says_why(owner):
    assert "no address" in told(post(owner, "notificationchannel_try_it", channel("webhook").pk))

    with running_wire_server() as wire:
        wire.answers(Scripted("no", 500))
        row = channel("webhook", url=wire.url, allow_private=True)
        assert "500" in told(post(owner, "notificationchannel_try_it", row.pk))
    assert not EventBatch.objects.exists()


def test_an_address_is_taken_but_only_its_host_is_shown(owner):
    """Vendors put their tokens into such addresses."""
    address = "https://hooks.example.com/send?key=abcdefgh"
    row = channel("webhook")
    form = {"name": row.name, "config-secret": "", "config-allow_private": ""}

    post(owner, "notificationchannel_change", row.pk, **form, **{"config-url": address})
    post(owner, "notificationchannel_change", row.pk, **form, **{"config-url": ""})

    row.refresh_from_db()
    assert build_channel(row).config.url == address
    shown = page(owner, "notificationchannel_changelist").content.decode()
    assert "https://hooks.example.com/…" in shown
    pages = [page(owner, f"notificationchannel_{name}", row.pk).content.decode() for name in ("change", "history")]
    assert not any("abcdefgh" in one for one in (shown, *pages, str(row.config)))
    assert not AuditEntry.objects.filter(after__icontains="abcdefgh").exists()
