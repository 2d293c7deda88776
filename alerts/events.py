"""The events of alerts, with the payloads that panels read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from alerts.models import Delivery, NotificationChannel
from alerts.types import AlertDraft, RaisedAlert
from robots.caches import robots_by_id
from worktool_ai.events.types import Event, EventType
from worktool_ai.lib.clock import now
from worktool_ai.lib.text import shorten

__all__ = ["alert_event", "delivery_event", "trial_event"]


def alert_event(kind: EventType, draft: AlertDraft, raised: RaisedAlert) -> Event:
    data = {
        "alertId": str(raised.id),
        "alertCode": draft.code,
        "alertLevel": raised.level,
        "title": shorten(draft.title, 200),
        "count": raised.count,
        "isNew": raised.is_new,
        "userName": draft.data.get("userName"),
        "groupName": draft.data.get("groupName"),
    }
    return _event(kind, draft.robot_id, draft.message_id, draft.run_id, data)


def delivery_event(delivery: Delivery, detail: str) -> Event:
    """A notification that has really gone out; for in_app it is the notification itself."""
    alert = delivery.alert
    data = {
        "alertId": str(alert.id),
        "alertCode": alert.code,
        "alertLevel": alert.level,
        "title": alert.title,
        "text": delivery.text,
        "deliveryId": str(delivery.id),
        "channel": delivery.channel.kind,
        "channelName": delivery.channel.name,
        "recipient": delivery.recipient.name if delivery.recipient else "",
        "detail": detail,
        "sendId": str(delivery.command_id) if delivery.command_id else None,
    }
    return _event("notification_sent", alert.robot_id, alert.message_id, alert.run_id, data)


def trial_event(channel: NotificationChannel, recipient: str, text: str, detail: str) -> Event:
    """A trial that a person sent through a channel."""
    data = {
        "alertId": None,
        "alertCode": "trial",
        "alertLevel": "info",
        "title": text,
        "text": text,
        "deliveryId": None,
        "channel": channel.kind,
        "channelName": channel.name,
        "recipient": recipient,
        "detail": detail,
        "sendId": None,
    }
    return _event("notification_sent", None, None, None, data)


def _event(
    kind: EventType, robot_id: UUID | None, message_id: UUID | None, run_id: UUID | None, data: Mapping[str, Any]
) -> Event:
    robot = robots_by_id().get(robot_id) if robot_id else None
    event: Event = {
        "type": kind,
        "at": now().isoformat(),
        "robot": robot.slug if robot else "",
        "group": robot.group if robot else "",
        "data": dict(data),
    }
    if message_id:
        event["messageId"] = str(message_id)
    if run_id:
        event["runId"] = str(run_id)
    return event
