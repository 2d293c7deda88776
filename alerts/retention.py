"""How long alerts and their deliveries are kept. An alert that nobody has resolved stays."""

from __future__ import annotations

from django.db.models import Q

from alerts.models import (
    Alert,
    AlertRule,
    AlertState,
    Delivery,
    DeliveryState,
    NotificationChannel,
    Recipient,
)
from worktool_ai.lib import retention

_DELIVERED = ~Q(state__in=(DeliveryState.QUEUED, DeliveryState.SENDING))

# named by what they tell, not by time
retention.keep(Delivery, only=_DELIVERED, column="created_at")
retention.keep(Alert, only=Q(state=AlertState.RESOLVED), column="last_at")
retention.never(retention.SETTING, AlertRule, NotificationChannel, Recipient)
