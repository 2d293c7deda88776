"""Delivering: side by side, with honest outcomes. Greenlets are threads here, so these tests commit."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from alerts import channels, deliveries, services
from alerts.channels import Channel, ChannelError, NotConfigured, Receipt
from alerts.models import Alert, Delivery, DeliveryState
from tests.alerts.builders import draft, make_channel, make_rule
from worktool_ai.events.models import EventBatch
from worktool_ai.lib.clock import now

pytestmark = pytest.mark.django_db(transaction=True)


class ScriptedChannel(Channel):
    """Does what the test wrote down."""

    key = "scripted"
    label = "Scripted"
    act = staticmethod(lambda _notification: Receipt("done"))
    seen: list = []

    def send(self, notification):
        type(self).seen.append(notification)
        return type(self).act(notification)


@pytest.fixture
def channel():
    ScriptedChannel.seen = []
    ScriptedChannel.act = staticmethod(lambda _notification: Receipt("done"))
    with channels.registry.temporarily(ScriptedChannel):
        yield ScriptedChannel


def queue(*kinds: str) -> list[Delivery]:
    make_rule(channels=[make_channel(kind, name=f"{kind} {n}") for n, kind in enumerate(kinds)])
    ids = services.notify(services.raise_alert(draft()).id, rules=["risk"], level="critical")
    return list(Delivery.objects.filter(id__in=ids).order_by("channel__name"))


def sent_events() -> list[dict]:
    return [e for batch in EventBatch.objects.all() for e in batch.items if e["type"] == "notification_sent"]


def fail(error: Exception):
    def act(_notification):
        raise error

    return staticmethod(act)


def test_what_is_due_is_delivered_once(channel):
    (delivery,) = queue("scripted")

    assert deliveries.deliver_due() == 1
    assert deliveries.deliver_due() == 0

    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (DeliveryState.SENT, 1)
    assert delivery.sent_at is not None
    (notification,) = channel.seen
    assert (notification.delivery_id, notification.level) == (delivery.id, "critical")


def test_only_a_true_outcome_is_told(channel):
    queue("scripted")
    channel.act = fail(ChannelError("later"))
    deliveries.deliver_due()
    assert sent_events() == []

    Delivery.objects.update(due_at=now())
    channel.act = staticmethod(lambda _notification: Receipt("HTTP 200"))
    deliveries.deliver_due()

    (event,) = sent_events()
    assert (event["data"]["channel"], event["data"]["detail"]) == ("scripted", "HTTP 200")


def test_the_panel_channel_is_its_event():
    (delivery,) = queue("in_app")

    deliveries.deliver_due()

    (event,) = sent_events()
    assert event["data"]["deliveryId"] == str(delivery.id)
    assert event["data"]["text"] == delivery.text


def test_a_failure_is_tried_again_later_with_growing_pauses(channel):
    (delivery,) = queue("scripted")
    channel.act = fail(ChannelError("busy"))

    deliveries.deliver_due()
    delivery.refresh_from_db()
    first_pause = delivery.due_at - now()
    Delivery.objects.update(due_at=now())
    deliveries.deliver_due()
    delivery.refresh_from_db()

    assert (delivery.state, delivery.error, delivery.attempts) == (DeliveryState.QUEUED, "busy", 2)
    assert delivery.due_at - now() > first_pause > timedelta(0)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ChannelError("gone", permanent=True), DeliveryState.FAILED),
        (NotConfigured("no address is set"), DeliveryState.NOT_CONFIGURED),
    ],
)
def test_what_cannot_help_is_not_tried_again(channel, error, state):
    (delivery,) = queue("scripted")
    channel.act = fail(error)

    deliveries.deliver_due()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.error) == (state, str(error))
    assert deliveries.deliver_due() == 0


def test_past_its_deadline_a_delivery_is_given_up(channel):
    (delivery,) = queue("scripted")
    Delivery.objects.update(deadline_at=now())

    deliveries.deliver_due()

    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.FAILED
    assert not channel.seen


def test_a_mistake_in_a_channel_is_a_failure_with_its_name(channel):
    (delivery,) = queue("scripted")
    channel.act = fail(ZeroDivisionError("boom"))

    deliveries.deliver_due()

    delivery.refresh_from_db()
    assert "ZeroDivisionError" in delivery.error


def test_a_channel_whose_kind_or_fields_are_gone_says_so(channel):
    one, two = queue("scripted", "webhook")
    one.channel.kind = "removed"
    one.channel.save()
    two.channel.config = {"nonsense": 1}
    two.channel.save()

    deliveries.deliver_due()

    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.NOT_CONFIGURED}


def test_a_channel_that_hangs_delays_nothing_else(channel):
    release = threading.Event()
    panel, hanging = queue("in_app", "scripted")
    channel.act = staticmethod(lambda _notification: release.wait(20) and Receipt("late"))
    stuck = threading.Thread(target=deliveries.deliver_due)

    stuck.start()
    wait_for(panel, DeliveryState.SENT)
    hanging.refresh_from_db()
    assert hanging.state == DeliveryState.SENDING

    third = Delivery.objects.get(id=_tell_panel_again())
    deliveries.deliver_due()
    third.refresh_from_db()
    assert third.state == DeliveryState.SENT

    release.set()
    stuck.join(20)
    wait_for(hanging, DeliveryState.SENT)


def _tell_panel_again():
    Alert.objects.update(notified_at=None)
    make_rule("again", channels=[make_channel("in_app", name="again")])
    raised = services.raise_alert(draft())
    (delivery,) = services.notify(raised.id, rules=["again"], level="critical")
    return delivery


def wait_for(delivery: Delivery, state: str) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        delivery.refresh_from_db()
        if delivery.state == state:
            return
        time.sleep(0.02)
    raise AssertionError(f"still {delivery.state}")


def test_what_a_dead_deliverer_left_is_delivered_after_its_lease(channel):
    (delivery,) = queue("scripted")
    Delivery.objects.update(state=DeliveryState.SENDING, attempts=1, lease_until=now() + timedelta(seconds=60))
    assert deliveries.deliver_due() == 0

    Delivery.objects.update(lease_until=now() - timedelta(seconds=1))
    deliveries.deliver_due()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (DeliveryState.SENT, 2)


def test_a_deliverer_that_comes_back_from_the_dead_changes_nothing(channel):
    (delivery,) = queue("scripted")

    def superseded(_notification):
        Delivery.objects.update(attempts=2)
        return Receipt("done")

    channel.act = staticmethod(superseded)
    deliveries.deliver_due()

    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.SENDING
    assert sent_events() == []
