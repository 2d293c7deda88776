from __future__ import annotations

import pytest

from alerts import seeds
from alerts.deliveries import build_channel
from alerts.models import AlertRule, NotificationChannel, Recipient
from worktool_ai.accounts.models import AuditEntry

pytestmark = pytest.mark.django_db


def test_rules_channels_and_somebody_to_be_told_are_planted():
    seeds.seed()

    assert Recipient.objects.get().chat_name == "值班主管"
    assert dict(NotificationChannel.objects.values_list("kind", "is_active")) == {
        "in_app": True,
        "robot": True,
        "webhook": False,
    }
    risk = AlertRule.objects.get(slug="risk-intent")
    assert risk.level == "critical"
    assert risk.channels.count() == 3
    assert risk.recipients.get().name == "值班主管"
    assert list(AlertRule.objects.get(slug="spam").channels.values_list("kind", flat=True)) == ["in_app"]


def test_a_second_time_plants_nothing_and_leaves_edits_alone():
    seeds.seed()
    AlertRule.objects.get(slug="risk-intent").channels.clear()
    AlertRule.objects.filter(slug="spam").delete()

    assert seeds.seed() == 0

    assert not AlertRule.objects.get(slug="risk-intent").channels.exists()
    assert not AlertRule.objects.filter(slug="spam").exists()


def test_an_address_that_was_stored_in_the_open_is_sealed_at_the_next_start():
    seeds.seed()
    address = "https://hooks.example.com/send?key=abcdefgh"
    NotificationChannel.objects.filter(kind="webhook").update(config={"config_version": 1, "url": address})

    seeds.seed()

    row = NotificationChannel.objects.get(kind="webhook")
    assert "abcdefgh" not in str(row.config)
    assert build_channel(row).config.url == address
    (entry,) = AuditEntry.objects.filter(action="channel.seal")
    assert "abcdefgh" not in f"{entry.before} {entry.after}"
    seeds.seed()
    assert NotificationChannel.objects.get(kind="webhook").config == row.config
