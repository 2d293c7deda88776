"""Connecting a robot: telling the platform where to post, and finding what stands in the way (worktool-api.md §3, §6).

Modules: ``addresses`` (our callback addresses), ``binding`` (what is set at the platform), ``demo`` (the robot of the
demonstration connects itself), ``answers`` and ``looking`` (what the platform says, asked sparingly), ``public`` (our
own address), ``facts`` and the ``…_checks`` (what that means), ``sections`` (all of it in order), ``fixes`` (what one
click does about it), ``naming`` (names that cannot be found), ``heard`` (what arrives).
"""

from __future__ import annotations

from robots.connecting.binding import Step, connect_robot, is_connected
from robots.connecting.checks import Check, CheckState
from robots.connecting.demo import connect_demo_robots
from robots.connecting.facts import gather
from robots.connecting.fixes import FIXES, Fix, apply
from robots.connecting.looking import forget, look
from robots.connecting.sections import Section, examine

__all__ = [
    "FIXES",
    "Check",
    "CheckState",
    "Fix",
    "Section",
    "Step",
    "apply",
    "connect_demo_robots",
    "connect_robot",
    "examine",
    "forget",
    "gather",
    "is_connected",
    "look",
]
