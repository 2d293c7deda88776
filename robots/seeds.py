"""The demo robot and its group. Planted once: what an operator changes or removes stays so."""

from __future__ import annotations

import os
import secrets

from robots.models import Mode, RobotGroup
from robots.services import create_robot, new_callback_key
from worktool_ai.accounts.models import SeedMark

__all__ = ["seed"]

DEMO_SLUG = "demo"


def seed() -> int:
    """Plant what was never planted; returns how many rows. The supervisor hands the demo robot's credentials in."""
    return _seed_group() + _seed_robot()


def _seed_group() -> int:
    _mark, fresh = SeedMark.objects.get_or_create(key="robot_group:service")
    if fresh:
        RobotGroup.objects.get_or_create(name="客服")
    return int(fresh)


def _seed_robot() -> int:
    _mark, fresh = SeedMark.objects.get_or_create(key=f"robot:{DEMO_SLUG}")
    if fresh:
        create_robot(
            slug=DEMO_SLUG,
            name="客服机器人",
            robot_id=os.environ.get("DEMO_ROBOT_ID") or f"wt{secrets.token_hex(15)}",
            callback_key=os.environ.get("DEMO_CALLBACK_KEY") or new_callback_key(),
            mode=Mode.AUTOMATIC,
            group=RobotGroup.objects.filter(name="客服").first(),
            robot_type="service",
            actor="seed",
        )
    return int(fresh)
