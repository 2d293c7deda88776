"""What the alert services take and give: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from alerts.conditions import Condition, Verdict

__all__ = ["SEVERITY", "AlertDraft", "RaisedAlert", "RuleMatch", "RuleSnapshot"]

#: Levels from the mildest to the gravest.
SEVERITY = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDraft:
    """Something to be noticed. Equal ``fingerprint`` means: the same matter, counted up while it is open.

    ``key`` names this one occurrence (run and node): raising it again under the same key changes nothing.
    ``data`` is what people are shown: userName, groupName, text …
    """

    code: str
    level: str
    title: str
    fingerprint: str
    data: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    robot_id: UUID | None = None
    room_id: UUID | None = None
    message_id: UUID | None = None
    run_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """The open alert after a draft was taken in; ``level`` is the gravest so far."""

    id: UUID
    level: str
    count: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class RuleSnapshot:
    """An alert rule ready to be judged. A rule whose fields cannot be used has ``condition`` None and ``error``."""

    id: UUID
    slug: str
    name: str
    code: str
    level: str
    cooldown_s: int
    condition: Condition | None
    error: str = ""
    channel_ids: tuple[UUID, ...] = ()
    recipient_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """One rule's judgement on one line."""

    slug: str
    name: str
    code: str
    level: str
    verdict: Verdict
    channel_ids: tuple[UUID, ...] = ()
    recipient_ids: tuple[UUID, ...] = ()
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a document of JSON types; ids as strings."""
        return {
            "slug": self.slug,
            "name": self.name,
            "code": self.code,
            "level": self.level,
            "matched": self.verdict.matched,
            "wanted": self.verdict.wanted,
            "actual": self.verdict.actual,
            "channelIds": [str(channel) for channel in self.channel_ids],
            "recipientIds": [str(recipient) for recipient in self.recipient_ids],
            "error": self.error,
        }
