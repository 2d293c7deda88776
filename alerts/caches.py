"""Alert rules, channels and recipients in memory; each copy follows changes within two seconds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pydantic

from alerts import conditions
from alerts.conditions import Condition
from alerts.models import AlertRule, NotificationChannel, Recipient
from alerts.types import RuleSnapshot
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.crypto import UndecryptableError, load_config
from worktool_ai.lib.db import borrowed
from worktool_ai.lib.registry import UnknownPluginError

__all__ = ["build_condition", "clear", "rules", "rules_by_slug"]


def rules() -> tuple[RuleSnapshot, ...]:
    """Return the active rules in their order; one whose fields cannot be used carries its error."""
    return _rules.get()


def rules_by_slug() -> Mapping[str, RuleSnapshot]:
    return MappingProxyType({rule.slug: rule for rule in rules()})


def clear() -> None:
    """Forget the copies, so that this process sees its own changes at once."""
    _rules.clear()


def _load() -> tuple[RuleSnapshot, ...]:
    with borrowed():
        rows = AlertRule.objects.filter(is_active=True).prefetch_related("channels", "recipients")
        return tuple(_snapshot(row) for row in rows.order_by("order", "slug"))


def _snapshot(row: AlertRule) -> RuleSnapshot:
    condition, error = build_condition(row)
    return RuleSnapshot(
        id=row.id,
        slug=row.slug,
        name=row.name,
        code=row.code,
        level=row.level,
        cooldown_s=row.cooldown_s,
        condition=condition,
        error=error,
        channel_ids=tuple(channel.pk for channel in row.channels.all() if channel.is_active),
        recipient_ids=tuple(recipient.pk for recipient in row.recipients.all() if recipient.is_active),
    )


def build_condition(row: AlertRule) -> tuple[Condition | None, str]:
    """Return the rule's condition, or None and why it cannot be used."""
    try:
        plugin = conditions.registry.get(row.condition)
        return plugin(load_config(plugin.Config, row.config)), ""
    except UnknownPluginError as problem:
        return None, str(problem.args[0])
    except (pydantic.ValidationError, UndecryptableError, ValueError) as problem:
        return None, str(problem)


_rules: VersionedCache[tuple[RuleSnapshot, ...]] = VersionedCache(
    _load,
    AlertRule,
    AlertRule.channels.through,
    AlertRule.recipients.through,
    NotificationChannel,
    Recipient,
)
