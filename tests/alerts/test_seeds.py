from __future__ import annotations

import pytest

from alerts import seeds
from alerts.models import AlertRule, NotificationChannel, Recipient

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
