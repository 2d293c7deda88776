"""Trying a channel with a harmless notification."""

from __future__ import annotations

from django.db import transaction

from alerts.channels import Notification, Receipt
from alerts.deliveries import build_channel
from alerts.events import trial_event
from alerts.models import Level, NotificationChannel, Recipient
from worktool_ai.events import services as events
from worktool_ai.lib.ids import uuid7

__all__ = ["try_channel"]

TRIAL_TEXT = "【测试】这是一条测试通知，收到即表示此通道可用，无需处理。"


def try_channel(row: NotificationChannel, recipient: Recipient | None) -> Receipt:
    """Send one trial through a channel as it is stored; raises :class:`alerts.channels.ChannelError`.

    Its event is recorded like that of a true notification: for the panel the event is the delivery.
    """
    receipt = build_channel(row).send(_trial(recipient))
    with transaction.atomic():
        events.record(trial_event(row, recipient.name if recipient else "", TRIAL_TEXT, receipt.detail))
    return receipt


def _trial(recipient: Recipient | None) -> Notification:
    return Notification(
        delivery_id=uuid7(),
        alert_id=uuid7(),
        level=Level.INFO,
        code="trial",
        title=TRIAL_TEXT,
        text=TRIAL_TEXT,
        robot_id=None,
        room_name="",
        recipient_name=recipient.name if recipient else "",
        recipient_user_id=recipient.user_id if recipient else None,
        chat_name=recipient.chat_name if recipient else "",
        chat_is_group=recipient.chat_is_group if recipient else False,
    )
