"""Delivering what is due: claimed with a lease, sent side by side, with an honest outcome.

    claim (SKIP LOCKED, a commit of its own) -> channel.send, nothing held -> outcome, compare-and-set

A channel that hangs holds up nothing but its own delivery: each has a greenlet of its own, and the next second's task
takes what has become due meanwhile. A delivery whose deliverer died is sent again after its lease; its id goes along,
so that a channel can recognise the repetition.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from uuid import UUID

import pydantic
from django.db import connection

from alerts import channels
from alerts.channels import Channel, ChannelError, NotConfigured, Notification, Receipt
from alerts.events import delivery_event
from alerts.models import Delivery, DeliveryState, NotificationChannel
from worktool_ai.events import services as events
from worktool_ai.lib.clock import now
from worktool_ai.lib.concurrency import run_all, time_limit
from worktool_ai.lib.crypto import UndecryptableError, load_config
from worktool_ai.lib.db import borrowed, tx
from worktool_ai.lib.logs import get_logger
from worktool_ai.lib.registry import UnknownPluginError

__all__ = ["build_channel", "deliver_due", "notification_of"]

logger = get_logger(__name__)

MAX_BATCH = 200
#: A deliverer that says nothing for so long is dead; longer than any channel's own time limit.
LEASE_S = 90
FIRST_RETRY_S = 5
LONGEST_RETRY_S = 120

_CLAIM = """
UPDATE alerts_delivery SET
    state = 'sending', attempts = attempts + 1, lease_until = %(lease)s, error = ''
WHERE id IN (
    SELECT id FROM alerts_delivery
    WHERE state IN ('queued', 'sending') AND due_at <= %(now)s
      AND (state = 'queued' OR lease_until IS NULL OR lease_until < %(now)s)
    ORDER BY due_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
RETURNING id, attempts
"""


def deliver_due(limit: int = MAX_BATCH) -> int:
    """Deliver what is due; returns how many deliveries were attempted, after the slowest of them."""
    claimed = _claim(limit)
    run_all([partial(_deliver, delivery_id, attempt) for delivery_id, attempt in claimed])
    return len(claimed)


def _claim(limit: int) -> list[tuple[UUID, int]]:
    moment = now()
    with tx(), connection.cursor() as cursor:
        lease = moment + timedelta(seconds=LEASE_S)
        cursor.execute(_CLAIM, {"lease": lease, "now": moment, "limit": limit})
        return [(row[0], row[1]) for row in cursor.fetchall()]


def _deliver(delivery_id: UUID, attempt: int) -> None:
    with borrowed():
        delivery = Delivery.objects.select_related("alert__room", "channel", "recipient").get(pk=delivery_id)
    try:
        if delivery.deadline_at <= now():
            raise ChannelError("it was not delivered before its deadline", permanent=True)
        receipt = _send(delivery)
    except NotConfigured as problem:
        _close(delivery, attempt, DeliveryState.NOT_CONFIGURED, str(problem))
    except ChannelError as problem:
        _failed(delivery, attempt, problem)
    except Exception as problem:
        logger.exception("delivery_failed", channel=delivery.channel.kind)
        _failed(delivery, attempt, ChannelError(f"{type(problem).__name__}: {problem}"))
    else:
        _sent(delivery, attempt, receipt)


def _send(delivery: Delivery) -> Receipt:
    channel = build_channel(delivery.channel)
    late = ChannelError(f"no answer within {channel.timeout_s:g} s")
    with time_limit(channel.timeout_s, late):
        return channel.send(notification_of(delivery))


def build_channel(row: NotificationChannel) -> Channel:
    """Build a channel from its row; :class:`NotConfigured` where its fields cannot be used."""
    try:
        plugin = channels.registry.get(row.kind)
        return plugin(load_config(plugin.Config, row.config))
    except UnknownPluginError as problem:
        raise NotConfigured(str(problem.args[0])) from None
    except (pydantic.ValidationError, UndecryptableError) as problem:
        raise NotConfigured(f"the channel's fields cannot be used: {problem}") from None


def notification_of(delivery: Delivery) -> Notification:
    """Return what a channel is handed."""
    alert, recipient = delivery.alert, delivery.recipient
    return Notification(
        delivery_id=delivery.id,
        alert_id=alert.id,
        level=alert.level,
        code=alert.code,
        title=alert.title,
        text=delivery.text,
        robot_id=alert.robot_id,
        room_name=alert.room.name if alert.room else "",
        recipient_name=recipient.name if recipient else "",
        recipient_user_id=recipient.user_id if recipient else None,
        chat_name=recipient.chat_name if recipient else "",
        chat_is_group=recipient.chat_is_group if recipient else False,
    )


# -- outcomes: each only while the delivery is still ours ---------------------------------------------------------


def _sent(delivery: Delivery, attempt: int, receipt: Receipt) -> None:
    delivery.command_id = receipt.command_id
    _change(
        delivery,
        attempt,
        {"state": DeliveryState.SENT, "sent_at": now(), "command_id": receipt.command_id, "lease_until": None},
        lambda: events.record(delivery_event(delivery, receipt.detail)),
    )


def _failed(delivery: Delivery, attempt: int, problem: ChannelError) -> None:
    """Try again with growing pauses until the deadline."""
    pause = timedelta(seconds=min(FIRST_RETRY_S * 3 ** (attempt - 1), LONGEST_RETRY_S))
    due_at = now() + pause
    if problem.permanent or due_at >= delivery.deadline_at:
        _close(delivery, attempt, DeliveryState.FAILED, str(problem))
        return
    fields = {"state": DeliveryState.QUEUED, "due_at": due_at, "lease_until": None, "error": str(problem)[:500]}
    _change(delivery, attempt, fields)


def _close(delivery: Delivery, attempt: int, state: DeliveryState, error: str) -> None:
    logger.warning("delivery_closed", channel=delivery.channel.kind, state=state.value, error=error[:200])
    _change(delivery, attempt, {"state": state, "error": error[:500], "lease_until": None})


def _change(
    delivery: Delivery, attempt: int, fields: dict[str, object], then: Callable[[], None] | None = None
) -> None:
    with tx():
        mine = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.SENDING, attempts=attempt)
        if mine.update(**fields) and then:
            then()
