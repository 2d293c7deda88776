"""Notification channels: one file each (``alerts/channels/<key>.py``), found by folder.

A channel delivers one notification and reports honestly: it returns a :class:`Receipt`, raises :class:`ChannelError`,
or raises :class:`NotConfigured`. One that did nothing never reports success. Retries, time and bookkeeping belong to
``alerts.deliveries``.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from worktool_ai.lib.registry import Plugin, Registry

__all__ = ["Channel", "ChannelError", "NotConfigured", "Notification", "Receipt", "registry"]


class ChannelError(Exception):
    """Delivery failed; ``permanent`` means that another attempt cannot help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class NotConfigured(ChannelError):
    """The channel or the recipient lacks what this channel needs; shown as such, not as a failure of the way."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True, slots=True)
class Notification:
    """What is told, to whom. Ids are ours; ``chat_name`` is the recipient's name in WeCom, empty where none is set."""

    delivery_id: UUID
    alert_id: UUID
    level: str
    code: str
    title: str
    text: str
    robot_id: UUID | None
    room_name: str
    recipient_name: str
    recipient_user_id: UUID | None
    chat_name: str
    chat_is_group: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of delivery: a status for people, and the robot command that carries it where there is one."""

    detail: str
    command_id: UUID | None = None


class Channel(Plugin):
    """One way to tell, built with its Config (secrets opened)."""

    #: Whether each recipient is told on their own; else the channel is told once and reaches whom it reaches.
    per_recipient: ClassVar[bool] = False
    #: Seconds for one attempt; a slow channel never holds up anything but itself.
    timeout_s: ClassVar[float] = 10.0

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def send(self, notification: Notification) -> Receipt:
        """Deliver, or raise :class:`ChannelError`."""


registry: Registry[Channel] = Registry("notification channel", Channel, "alerts.channels")  # type: ignore[type-abstract]
