"""Robots as every process needs them for each line: in memory, at most about a second behind the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from robots.models import Mode, Robot, RobotGroup
from robots.names import normal_name
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.crypto import Secret
from worktool_ai.lib.db import borrowed

__all__ = ["RobotSnapshot", "forget", "robots_by_id"]


@dataclass(frozen=True, slots=True)
class RobotSnapshot:
    """A robot without its history. ``robot_id`` (a credential) and ``robot_key`` show masked until ``reveal()``.

    ``staff_names`` are normal (:func:`robots.names.normal_name`).
    """

    id: UUID
    slug: str
    name: str
    aliases: tuple[str, ...]
    group: str
    robot_type: str
    mode: str
    persona_id: UUID | None
    staff_names: frozenset[str]
    line_fresh_s: int
    reply_fresh_s: int
    duplicate_window_s: int
    merge_window_s: int
    merge_limit_s: int
    requests_per_minute: int | None
    is_active: bool
    robot_id: Secret
    robot_key: Secret

    @property
    def sends_itself(self) -> bool:
        """Whether the outbox may send its commands without a person."""
        return self.is_active and self.mode == Mode.AUTOMATIC


def robots_by_id() -> Mapping[UUID, RobotSnapshot]:
    """Return all robots, inactive ones too, by our id (not the platform's)."""
    return _cache.get()


def forget() -> None:
    """Read them anew at the next look, in this process."""
    _cache.clear()


def _load() -> Mapping[UUID, RobotSnapshot]:
    with borrowed():
        robots = [_snapshot(robot) for robot in Robot.objects.select_related("group")]
    return MappingProxyType({robot.id: robot for robot in robots})


def _snapshot(robot: Robot) -> RobotSnapshot:
    return RobotSnapshot(
        id=robot.id,
        slug=robot.slug,
        name=robot.name,
        aliases=tuple(robot.aliases),
        group=robot.group.name if robot.group else "",
        robot_type=robot.robot_type,
        mode=robot.mode,
        persona_id=robot.persona_id,
        staff_names=frozenset(normal_name(name) for name in robot.staff_names),
        line_fresh_s=robot.line_fresh_s,
        reply_fresh_s=robot.reply_fresh_s,
        duplicate_window_s=robot.duplicate_window_s,
        merge_window_s=robot.merge_window_s,
        merge_limit_s=robot.merge_limit_s,
        requests_per_minute=robot.requests_per_minute,
        is_active=robot.is_active,
        robot_id=robot.robot_id,
        robot_key=robot.robot_key,
    )


_cache = VersionedCache(_load, Robot, RobotGroup)
