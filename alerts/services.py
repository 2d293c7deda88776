"""Every write to alerts: raised, judged by rules, told, acknowledged, resolved.

The first three are called inside the engine's own transaction and commit nothing themselves. A repeated call under
the same key changes nothing, so that a walk that is done again raises and tells once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from alerts import caches, channels, doorbell
from alerts.events import alert_event
from alerts.models import Alert, AlertState, Delivery, NotificationChannel
from alerts.rows import upsert_alert
from alerts.texts import notification_text
from alerts.types import SEVERITY, AlertDraft, RaisedAlert, RuleSnapshot
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import User
from worktool_ai.events import services as events
from worktool_ai.lib.clock import now
from worktool_ai.lib.crypto import seal_config
from worktool_ai.lib.ids import uuid7

__all__ = [
    "AlertDraft",
    "RaisedAlert",
    "acknowledge",
    "apply_rules",
    "notify",
    "raise_alert",
    "resolve",
    "seal_channels",
]

#: How long a delivery is tried before it is given up.
GIVE_UP_AFTER = timedelta(minutes=15)
#: Rest between two tellings of an alert that no rule matched.
DEFAULT_COOLDOWN_S = 300

Target = tuple[UUID, UUID | None]


def raise_alert(draft: AlertDraft) -> RaisedAlert:
    """Open an alert, or count the open one with this fingerprint up; its level only rises."""
    with transaction.atomic():
        raised = upsert_alert(draft, now())
        events.record(alert_event("alert_triggered", draft, raised))
    return raised


def apply_rules(alert_id: UUID, rules: Iterable[str], level: str = "info") -> str:
    """Note on the alert the gravest of these rules (slugs), raise its level to it, and return the level in force."""
    matched = _rules(rules)
    with transaction.atomic():
        alert = Alert.objects.select_for_update(of=("self",)).get(pk=alert_id)
        gravest = max(matched, key=lambda rule: SEVERITY.index(rule.level), default=None)
        alert.level = max(alert.level, level, *(rule.level for rule in matched), key=SEVERITY.index)
        alert.rule_id = gravest.id if gravest else alert.rule_id
        alert.save(update_fields=["level", "rule"])
    return alert.level


def notify(
    alert_id: UUID,
    *,
    rules: Sequence[str] = (),
    level: str = "info",
    text: str = "",
    key: str = "",
    moment: datetime | None = None,
) -> list[UUID]:
    """Queue what tells people of an alert and return the ids of the deliveries.

    Channels and recipients are those of the matched ``rules`` (slugs); without a rule the panel alone is told. Within
    a rule's cooldown, or once acknowledged, an alert is not told again: the deliveries that told it are returned.
    ``text`` replaces the standard first line. Nothing is delivered here (:mod:`alerts.deliveries`).
    """
    moment = moment or now()
    matched = _rules(rules)
    with transaction.atomic():
        apply_rules(alert_id, rules, level)
        alert = Alert.objects.select_for_update(of=("self",)).get(pk=alert_id)
        if told := _told_lately(alert, matched, moment):
            return told
        planned = _planned(alert, matched, text=text, key=key, moment=moment)
        Delivery.objects.bulk_create(planned, ignore_conflicts=True)
        Alert.objects.filter(pk=alert_id).update(notified_at=moment)
        transaction.on_commit(doorbell.ring)
    return [delivery.id for delivery in planned]


def _rules(slugs: Iterable[str]) -> list[RuleSnapshot]:
    known = caches.rules_by_slug()
    return [known[slug] for slug in slugs if slug in known]


def _told_lately(alert: Alert, matched: Sequence[RuleSnapshot], moment: datetime) -> list[UUID]:
    """The deliveries of the last telling, while somebody takes care of it or every matched rule still rests."""
    if alert.notified_at is None:
        return []
    rest = timedelta(seconds=min((rule.cooldown_s for rule in matched), default=DEFAULT_COOLDOWN_S))
    if alert.state != AlertState.ACKNOWLEDGED and moment - alert.notified_at >= rest:
        return []
    latest = Delivery.objects.filter(alert=alert, due_at__gte=alert.notified_at)
    return list(latest.order_by("id").values_list("id", flat=True))


def _planned(alert: Alert, matched: Sequence[RuleSnapshot], *, text: str, key: str, moment: datetime) -> list[Delivery]:
    words = notification_text(
        alert_id=alert.id,
        level=alert.level,
        names="、".join(dict.fromkeys(rule.name for rule in matched)) or alert.title,
        count=alert.count,
        data=alert.data,
        note=text,
    )
    return [
        Delivery(
            id=_delivery_id(key, target),
            alert=alert,
            channel_id=target[0],
            recipient_id=target[1],
            text=words,
            due_at=moment,
            deadline_at=moment + GIVE_UP_AFTER,
        )
        for target in _targets(matched)
    ]


def _targets(matched: Sequence[RuleSnapshot]) -> list[Target]:
    """Each channel once, or once per recipient where the channel tells people one by one."""
    kinds = dict(NotificationChannel.objects.filter(is_active=True).values_list("id", "kind"))
    targets: dict[Target, None] = {}
    for rule in matched:
        for channel_id in rule.channel_ids:
            if channel_id in kinds:
                targets.update(dict.fromkeys(_of_channel(kinds[channel_id], channel_id, rule)))
    return list(targets) or [(channel_id, None) for channel_id, kind in kinds.items() if kind == "in_app"]


def _of_channel(kind: str, channel_id: UUID, rule: RuleSnapshot) -> list[Target]:
    """A channel that needs a recipient and has none still gets its row: it will say that it is not configured."""
    if kind in channels.registry and channels.registry.get(kind).per_recipient and rule.recipient_ids:
        return [(channel_id, recipient) for recipient in rule.recipient_ids]
    return [(channel_id, None)]


def _delivery_id(key: str, target: Target) -> UUID:
    """The same id for the same key and target, so that a repeated call finds its own rows."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{key}:{target[0]}:{target[1]}") if key else uuid7()


def acknowledge(alert_id: UUID, actor: User) -> bool:
    """Somebody takes care of it; False when it was not open any more."""
    return _change(alert_id, actor, "alert.acknowledge", [AlertState.OPEN], AlertState.ACKNOWLEDGED)


def resolve(alert_id: UUID, actor: User | str) -> bool:
    """It is over: the next one like it opens a new alert. False when it was resolved already.

    ``actor`` is a person, or the name of the process that has seen it end.
    """
    return _change(alert_id, actor, "alert.resolve", [AlertState.OPEN, AlertState.ACKNOWLEDGED], AlertState.RESOLVED)


def _change(alert_id: UUID, actor: User | str, action: str, old: Sequence[AlertState], new: AlertState) -> bool:
    moment = now()
    fields: dict[str, Any] = (
        {"acknowledged_by": actor, "acknowledged_at": moment}
        if new == AlertState.ACKNOWLEDGED
        else {"resolved_at": moment}
    )
    with transaction.atomic():
        changed = Alert.objects.filter(pk=alert_id, state__in=old).update(state=new, **fields)
        if changed:
            alert = Alert.objects.get(pk=alert_id)
            audit.record(actor, action, alert, {}, {"state": new.value})
    return bool(changed)


def seal_channels() -> int:
    """Encrypt what channels still hold in the open, because it was stored before its field became a secret.

    Returns how many channels that changed; their names alone go into the audit log.
    """
    sealed = 0
    with transaction.atomic():
        for row in NotificationChannel.objects.select_for_update().filter(kind__in=dict(channels.registry.choices())):
            config = seal_config(channels.registry.get(row.kind).Config, row.config)
            if config != row.config:
                row.config = config
                row.save(update_fields=["config"])
                audit.record("prepare", "channel.seal", row)
                sealed += 1
    return sealed
