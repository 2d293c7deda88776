"""The live panel: everybody who watches it sees the notification at once, and finds it there later."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from alerts.channels import Channel, Notification, Receipt

__all__ = ["InAppChannel"]


class InAppChannel(Channel):
    """Shows the notification in the panel.

    What the panel shows is the ``notification_sent`` event, stored in the same transaction as this delivery's
    outcome: without the event there is no success.
    """

    key = "in_app"
    label = _("Panel")

    def send(self, notification: Notification) -> Receipt:
        return Receipt("shown in the panel")
