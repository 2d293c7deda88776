"""Rows that tests of alerts stand on."""

from __future__ import annotations

from alerts import caches
from alerts.models import AlertRule, NotificationChannel, Recipient
from alerts.types import AlertDraft
from robots import caches as robot_caches
from robots.models import Mode, Robot
from robots.services import create_robot


def make_robot(slug: str = "demo", mode: str = Mode.AUTOMATIC, **fields) -> Robot:
    robot = create_robot(slug=slug, name=slug, robot_id=f"wt-{slug}-0001", actor="test", mode=mode)
    Robot.objects.filter(pk=robot.pk).update(**fields)
    robot_caches.forget()
    return robot


def draft(**fields) -> AlertDraft:
    values = {
        "code": "risk",
        "level": "critical",
        "title": "客服群 · 张三：我要去12315投诉你们",
        "fingerprint": "risk:s1",
        "data": {"userName": "张三", "groupName": "客服群", "text": "我要去12315投诉你们"},
    }
    return AlertDraft(**{**values, **fields})


def make_channel(kind: str = "in_app", config: dict | None = None, **fields) -> NotificationChannel:
    return NotificationChannel.objects.create(name=fields.pop("name", kind), kind=kind, config=config or {}, **fields)


def make_rule(slug: str = "risk", channels=(), recipients=(), **fields) -> AlertRule:
    values = {
        "name": "高危言论",
        "condition": "intent",
        "config": {"intents": ["risk"]},
        "level": "critical",
        "code": "risk",
    }
    rule = AlertRule.objects.create(slug=slug, **{**values, **fields})
    rule.channels.set(channels)
    rule.recipients.set(recipients)
    caches.clear()
    return rule


def make_recipient(name: str = "值班主管", chat_name: str = "值班主管", **fields) -> Recipient:
    return Recipient.objects.create(name=name, chat_name=chat_name, **fields)
