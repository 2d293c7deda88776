"""How long the gateway keeps what it was told and what it said."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q

from robots.models import (
    CallbackGap,
    Command,
    CommandResult,
    DeadLetter,
    Direction,
    Fingerprint,
    GapState,
    GroupQrCode,
    Media,
    Message,
    OnlineChange,
)
from robots.models.commands import HOLDS_ROOM
from worktool_ai.lib import retention

_CLOSED = ~Q(state__in=HOLDS_ROOM)

retention.keep(CommandResult)
retention.keep(Command, only=_CLOSED & Q(message__isnull=False))
# a notification's command is named by its delivery, which is no UUIDv7; few, and found by the missing line
retention.keep(Command, only=_CLOSED & Q(message__isnull=True), column="created_at")
retention.keep(Message, only=~Q(direction=Direction.IN, settled_at__isnull=True))
retention.keep(Media, column="created_at")
retention.keep(DeadLetter)
retention.keep(CallbackGap, only=~Q(state=GapState.OPEN))
retention.keep(OnlineChange)
# the platform's codes are valid for 7 days
retention.keep(GroupQrCode, timedelta(days=30))
# a repeated text counts for seconds, a repeated platform id at any distance at which lines are still delivered
retention.keep(Fingerprint, timedelta(days=7), column="last_at")
