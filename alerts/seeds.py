"""Plants the channels, the demo person to be told, and the first alert rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from alerts import caches, channels, conditions, services
from alerts.models import AlertRule, NotificationChannel, Recipient
from worktool_ai.accounts.seeding import plant

__all__ = ["DEMO_RECIPIENT", "seed"]

RULES_FILE = Path(__file__).resolve().parent / "data" / "rules.yaml"

#: In the simulator a person of this name reads what the robot writes; a real one is entered by the operator.
DEMO_RECIPIENT = "值班主管"

#: kind -> (name, active)
_CHANNELS = {"in_app": ("面板提醒", True), "robot": ("机器人通知", True), "webhook": ("Webhook", False)}


def seed() -> int:
    """Plant what was never planted here, and seal what is stored; returns how many rows were planted."""
    planted = plant({f"channel:{kind}": _channel(kind, *row) for kind, row in _CHANNELS.items()})
    planted += plant({"recipient:demo": Recipient(name=DEMO_RECIPIENT, chat_name=DEMO_RECIPIENT)})
    planted += _seed_rules()
    services.seal_channels()
    caches.clear()
    return len(planted)


def _channel(kind: str, name: str, active: bool) -> NotificationChannel:
    config = channels.registry.get(kind).Config()
    return NotificationChannel(name=name, kind=kind, config=config.dump(), is_active=active)


def _seed_rules() -> list[str]:
    presets: list[dict[str, Any]] = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))
    rules = {f"alert-rule:{preset['slug']}": _rule(preset) for preset in presets}
    planted = plant(rules)
    _link([preset for preset in presets if f"alert-rule:{preset['slug']}" in planted])
    return planted


def _rule(preset: dict[str, Any]) -> AlertRule:
    config = conditions.registry.get(preset["condition"]).Config.load(preset["config"])
    return AlertRule(
        slug=preset["slug"],
        name=preset["name"],
        code=preset["code"],
        level=preset["level"],
        order=preset["order"],
        condition=preset["condition"],
        config=config.dump(),
    )


def _link(presets: list[dict[str, Any]]) -> None:
    """Give the rules that were just planted their channels and the demo person."""
    by_name = {row.name: row for row in NotificationChannel.objects.all()}
    recipient = Recipient.objects.filter(name=DEMO_RECIPIENT).first()
    for preset in presets:
        rule = AlertRule.objects.get(slug=preset["slug"])
        rule.channels.set([by_name[name] for kind in preset["channels"] if (name := _CHANNELS[kind][0]) in by_name])
        rule.recipients.set([recipient] if recipient else [])
