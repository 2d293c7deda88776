"""The typed events that panels and alerts read. Names and payloads are the seed's (§6.3); ids are strings.

``robot`` is our slug, never the platform's robotId; ``group`` is the name of the robot's group: a person's scope is
checked against both for every event that is shown.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

__all__ = ["EVENT_TYPES", "Event", "EventType"]

EventType = Literal[
    "message_received",
    "message_sent",
    "command_sent",
    "command_result",
    "intent_recognized",
    "ai_reply_generated",
    "node_executed",
    "flow_completed",
    "alert_triggered",
    "alert_rule_matched",
    "notification_sent",
]

EVENT_TYPES: tuple[str, ...] = EventType.__args__  # type: ignore[attr-defined]


class Event(TypedDict):
    """One thing that happened. ``data`` holds the payload fields of its type, camelCase as in the seed."""

    type: EventType
    at: str
    robot: str
    group: str
    messageId: NotRequired[str]
    runId: NotRequired[str]
    data: dict[str, Any]
