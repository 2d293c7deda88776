"""How long the gateway keeps what it was told and what it said."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q

from robots.models import (
    CallbackGap,
    Command,
    CommandResult,
    Conversation,
    DeadLetter,
    Direction,
    DoorMark,
    Egress,
    Fingerprint,
    GapState,
    GroupQrCode,
    InboxEntry,
    Media,
    Message,
    OnlineChange,
    Robot,
    RobotGroup,
    Room,
    Switch,
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
# a stop in force is no history, however old
retention.keep(Switch, only=Q(lifted_at__isnull=False), column="lifted_at")

retention.never(retention.SETTING, Robot, RobotGroup)
retention.never("the address book: as many as there are groups and people, whatever they say", Room, Conversation)
retention.never("deleted as soon as it is handled; what cannot be becomes a dead letter", InboxEntry)
retention.never("one row per process of the door; the next one removes those of the dead", DoorMark)
retention.never("one row per outgoing address", Egress)
