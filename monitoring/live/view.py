"""What one person may see of an event. Pure: the hub asks for every event and keeps the answer per view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.accounts.privacy import mask_name, mask_text
from worktool_ai.accounts.scopes import Scope, scope_of

__all__ = ["BUSINESS", "View"]

#: What the business panel shows.
BUSINESS = frozenset(
    {
        "message_received",
        "message_sent",
        "command_sent",
        "command_result",
        "intent_recognized",
        "flow_completed",
        "alert_triggered",
        "notification_sent",
    }
)

#: All that somebody without contact data is sent; a field that nobody thought of stays here.
_PLAIN = (
    *("messageId", "conversationId", "sessionId", "sendId", "replyTo", "runId", "alertId", "deliveryId"),
    *("receivedAt", "timestamp", "textType", "roomIsGroup", "groupName", "robotId", "direction"),
    *("reason", "outcome", "state", "status", "commandStatus", "commandDetail", "errorCode"),
    *("intent", "topic", "confidence", "level", "code", "count", "channel"),
)
_NAMES = ("sender", "userName", "target")
_TEXTS = ("text", "content", "title", "errorReason")


@dataclass(frozen=True, slots=True)
class View:
    """Everything by which two sockets may be shown different things; equal views share one encoded frame."""

    types: frozenset[str]
    scope: Scope
    with_contacts: bool

    @classmethod
    def of(cls, person: Any, types: frozenset[str]) -> Self:
        return cls(types, scope_of(person), may(person, Ability.READ_CONTACTS))

    def show(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the event as this view sees it, or None."""
        if event["type"] not in self.types or not self.scope.allows(event["robot"], event["group"]):
            return None
        return dict(event) if self.with_contacts else {**event, "data": _masked(event["data"])}


def _masked(data: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: data[name] for name in _PLAIN if name in data}
    groups = {data.get("groupName"), data.get("room") if data.get("roomIsGroup") else None}
    people = [str(data[name]) for name in (*_NAMES, "room") if data.get(name) and data[name] not in groups]
    for name in (*_NAMES, "room"):
        if data.get(name):
            shown[name] = data[name] if data[name] in groups else mask_name(str(data[name]))
    return shown | {name: mask_text(str(data[name]), people) for name in _TEXTS if data.get(name)}
