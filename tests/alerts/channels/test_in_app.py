from __future__ import annotations

from alerts.channels.in_app import InAppChannel
from tests.alerts.channels.builders import notification
from worktool_ai.lib.config import PluginConfig


def test_the_panel_needs_nothing_but_the_event_that_its_delivery_stores():
    receipt = InAppChannel(PluginConfig()).send(notification())

    assert receipt.command_id is None
    assert receipt.detail
