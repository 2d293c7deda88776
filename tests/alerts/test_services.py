from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction

from alerts import services
from alerts.models import Alert, AlertState, Delivery
from tests.alerts.builders import draft, make_channel, make_recipient, make_robot, make_rule
from worktool_ai.accounts.models import AuditEntry, User
from worktool_ai.events.models import EventBatch
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7

pytestmark = pytest.mark.django_db


def events(kind: str) -> list[dict]:
    return [event for batch in EventBatch.objects.order_by("id") for event in batch.items if event["type"] == kind]


# -- raising -------------------------------------------------------------------------------------------------------


def test_the_first_opens_and_equal_ones_count_up():
    first = services.raise_alert(draft())
    second = services.raise_alert(draft())

    assert (first.count, first.is_new) == (1, True)
    assert (second.id, second.count, second.is_new) == (first.id, 2, False)
    assert Alert.objects.count() == 1


def test_the_level_only_rises():
    services.raise_alert(draft(level="warning"))

    assert services.raise_alert(draft(level="critical")).level == "critical"
    assert services.raise_alert(draft(level="info")).level == "critical"


def test_the_same_occurrence_is_counted_once():
    first = services.raise_alert(draft(key="run1:n1"))
    again = services.raise_alert(draft(key="run1:n1"))
    other = services.raise_alert(draft(key="run2:n1"))
    other_again = services.raise_alert(draft(key="run2:n1"))

    assert (again.id, again.count, again.is_new) == (first.id, 1, True)
    assert (other_again.count, other_again.is_new) == (other.count, False) == (2, False)


def test_after_it_was_resolved_the_next_opens_a_new_one(owner):
    first = services.raise_alert(draft())
    services.resolve(first.id, owner)

    second = services.raise_alert(draft())

    assert second.is_new
    assert second.id != first.id


def test_raising_is_told_with_our_slug_of_the_robot():
    robot = make_robot()
    run = uuid7()

    services.raise_alert(draft(robot_id=robot.id, run_id=run))

    (event,) = events("alert_triggered")
    assert (event["robot"], event["runId"]) == ("demo", str(run))
    assert (event["data"]["alertLevel"], event["data"]["userName"]) == ("critical", "张三")


def test_nothing_is_left_of_a_transaction_that_failed():
    with transaction.atomic():
        services.raise_alert(draft())
        transaction.set_rollback(True)

    assert not Alert.objects.exists()
    assert not EventBatch.objects.exists()


def test_long_texts_are_cut_to_what_the_table_holds():
    raised = services.raise_alert(draft(title="长" * 300, fingerprint="f" * 300))

    assert len(Alert.objects.get(pk=raised.id).title) == 200


# -- rules ---------------------------------------------------------------------------------------------------------


def test_the_gravest_rule_gives_the_alert_its_level():
    make_rule("mild", level="warning")
    grave = make_rule("grave", level="critical")
    raised = services.raise_alert(draft(level="info"))

    level = services.apply_rules(raised.id, ["mild", "grave", "unknown"])

    alert = Alert.objects.get(pk=raised.id)
    assert level == alert.level == "critical"
    assert alert.rule_id == grave.id


# -- telling -------------------------------------------------------------------------------------------------------


def tell(rules=("risk",), **options):
    raised = services.raise_alert(draft())
    return services.notify(raised.id, rules=rules, level="critical", **options)


def test_each_channel_is_told_once_and_each_recipient_by_the_robot():
    people = [make_recipient("甲", "甲"), make_recipient("乙", "乙")]
    make_rule(channels=[make_channel("in_app"), make_channel("robot")], recipients=people)

    deliveries = tell()

    rows = Delivery.objects.filter(id__in=deliveries).values_list("channel__kind", "recipient__name", "state")
    assert sorted(rows, key=str) == [
        ("in_app", None, "queued"),
        ("robot", "乙", "queued"),
        ("robot", "甲", "queued"),
    ]


def test_two_rules_with_the_same_channel_tell_once():
    panel = make_channel("in_app")
    make_rule("a", channels=[panel])
    make_rule("b", channels=[panel])

    assert len(tell(["a", "b"])) == 1


def test_a_robot_channel_without_recipient_still_has_its_row():
    make_rule(channels=[make_channel("robot")])

    assert len(tell()) == 1


def test_a_channel_or_recipient_that_is_off_is_not_told():
    make_rule(
        channels=[make_channel("in_app", is_active=False), make_channel("robot")],
        recipients=[make_recipient("甲", is_active=False), make_recipient("乙", "乙")],
    )

    tell()

    assert list(Delivery.objects.values_list("recipient__name", flat=True)) == ["乙"]


def test_without_a_rule_the_panel_is_told():
    make_channel("in_app")
    make_channel("robot")

    tell(rules=())

    assert Delivery.objects.get().channel.kind == "in_app"


def test_the_text_says_level_place_person_line_and_where_to_look(settings):
    settings.PUBLIC_URL = "https://bot.example.com"
    make_rule(channels=[make_channel("in_app")])

    tell()

    text = Delivery.objects.get().text
    assert text.startswith("【严重】高危言论\n客服群 · 张三\n“我要去12315投诉你们”")


def test_a_customers_line_leaves_the_system_shortened():
    make_rule(channels=[make_channel("in_app")])
    raised = services.raise_alert(draft(data={"userName": "张三", "text": "投诉" * 100}))

    services.notify(raised.id, rules=["risk"])

    text = Delivery.objects.get().text
    assert "私聊 · 张三" in text
    assert "投诉" * 41 not in text


def test_a_text_of_the_flow_replaces_the_first_line():
    make_rule(channels=[make_channel("in_app")])

    tell(text="请马上看")

    assert Delivery.objects.get().text.startswith("请马上看\n")


def test_within_the_cooldown_nobody_is_told_again():
    make_rule(channels=[make_channel("in_app")], cooldown_s=300)
    moment = now()

    first = tell(moment=moment)
    soon = tell(moment=moment + timedelta(seconds=299))
    later = tell(moment=moment + timedelta(seconds=301))

    assert soon == first
    assert later != first
    assert Delivery.objects.count() == 2
    assert "已是第 3 次" in Delivery.objects.get(id=later[0]).text


def test_once_acknowledged_nobody_is_told_again(owner):
    make_rule(channels=[make_channel("in_app")], cooldown_s=0)
    first = tell()
    services.acknowledge(Alert.objects.get().id, owner)

    assert tell() == first


def test_the_same_key_tells_once():
    make_rule(channels=[make_channel("in_app")], cooldown_s=0)

    first = tell(key="run1:n1")
    again = tell(key="run1:n1")

    assert first == again
    assert Delivery.objects.count() == 1


def test_the_deliverer_is_rung_for_after_the_commit(monkeypatch, django_capture_on_commit_callbacks):
    rung = []
    monkeypatch.setattr(services.doorbell, "ring", lambda: rung.append(1))
    make_rule(channels=[make_channel("in_app")])

    with django_capture_on_commit_callbacks(execute=True):
        tell()
        assert not rung

    assert rung


# -- people --------------------------------------------------------------------------------------------------------


@pytest.fixture
def owner():
    return User.objects.create_user("owner", role="owner")


def test_acknowledging_and_resolving_are_audited_and_happen_once(owner):
    alert_id = services.raise_alert(draft()).id

    assert services.acknowledge(alert_id, owner)
    assert not services.acknowledge(alert_id, owner)
    assert services.resolve(alert_id, owner)
    assert not services.resolve(alert_id, owner)

    alert = Alert.objects.get(pk=alert_id)
    assert (alert.state, alert.acknowledged_by) == (AlertState.RESOLVED, owner)
    assert list(AuditEntry.objects.order_by("at").values_list("action", flat=True)) == [
        "alert.acknowledge",
        "alert.resolve",
    ]
