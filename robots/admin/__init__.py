"""The gateway's admin pages. Facts are looked at, robots and their groups are edited, all inside the robot scope."""

from __future__ import annotations

from robots.admin import commands, inbound, lines, recovery, robots, switches, unknown_sends

__all__ = ["commands", "inbound", "lines", "recovery", "robots", "switches", "unknown_sends"]
