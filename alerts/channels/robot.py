"""A robot writes to the recipient's chat in WeCom."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext_noop as _
from pydantic import Field

from alerts.channels import Channel, ChannelError, NotConfigured, Notification, Receipt
from robots.hotpath import NewCommand, insert_commands
from robots.models import Mode, Robot
from robots.models.commands import Priority
from robots.tasks import ring_outbox
from worktool_ai.lib.clock import now
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.db import tx

__all__ = ["RobotChannel"]

TEXT = 203
#: An alert that could not be typed for so long is no news any more.
FRESH = timedelta(minutes=15)


class RobotConfig(PluginConfig):
    """Which robot writes. Empty: the one in whose chat it happened, or another that works."""

    robot_slug: str = Field(
        default="",
        max_length=60,
        title=_("Always this robot"),
        description=_("Its slug. Empty: the robot in whose chat it happened, or another one that works."),
    )


class RobotChannel(Channel):
    """Has a robot write to the recipient's private chat or group, before all other commands.

    The command's id is the delivery's, so a repeated delivery queues nothing twice. A robot that is known to be
    offline, or that only drafts, is passed over.
    """

    key = "robot"
    label = _("Robot message")
    Config = RobotConfig
    per_recipient = True

    def send(self, notification: Notification) -> Receipt:
        if not notification.chat_name:
            raise NotConfigured("the recipient has no name in WeCom")
        with tx():
            robot = self._robot(notification.robot_id)
            with connection.cursor() as cursor:
                insert_commands(cursor, [_command(notification, robot.id)])
            transaction.on_commit(ring_outbox)
        return Receipt(f"queued for robot {robot.slug}", command_id=notification.delivery_id)

    def _robot(self, wanted: UUID | None) -> Robot:
        usable = Robot.objects.filter(is_active=True, mode=Mode.AUTOMATIC).exclude(is_online=False)
        if self.config.robot_slug:
            usable = usable.filter(slug=self.config.robot_slug)
        robots = sorted(usable, key=lambda robot: (robot.id != wanted, robot.slug))
        if not robots:
            raise ChannelError("no robot can write now: each is offline, switched off, or only drafts")
        return robots[0]


def _command(notification: Notification, robot_id: UUID) -> NewCommand:
    moment = now()
    return NewCommand(
        id=notification.delivery_id,
        robot_id=robot_id,
        kind=TEXT,
        target=notification.chat_name,
        text=notification.text,
        payload={
            "type": TEXT,
            "titleList": [notification.chat_name],
            "receivedContent": notification.text,
        },
        priority=Priority.ALERT,
        expires_at=moment + FRESH,
        created_at=moment,
    )
