from __future__ import annotations

import pytest

from alerts import tasks
from alerts.models import Delivery, DeliveryState
from tests.alerts.test_deliveries import queue
from worktool_ai.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_task_that_beat_sends_delivers_what_is_due():
    queue("in_app")

    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert tasks.deliver_due.name in scheduled
    tasks.deliver_due()

    assert Delivery.objects.get().state == DeliveryState.SENT
