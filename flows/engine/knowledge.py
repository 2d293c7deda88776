"""Snapshots that a walk needs: published graphs, robots, personas, alert rules. In memory, a second behind at most."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from alerts import caches as alert_caches
from alerts.matching import match
from flows.graph import Graph, compile_published
from flows.models import Flow, FlowVersion
from flows.nodes import Knowledge, RobotFacts
from personas.caches import cast
from personas.selection import select_persona
from robots import caches as robot_caches
from robots.caches import RobotSnapshot
from worktool_ai.lib.cache import VersionedCache
from worktool_ai.lib.db import borrowed

__all__ = ["active_version", "forget", "graph_of", "knowledge", "robot_facts", "robot_of"]


@lru_cache(maxsize=64)
def graph_of(version_id: UUID) -> Graph:
    """Return a published version's graph. Versions never change, so this is never stale.

    Nodes that can no longer be built stand as tombstones; raises :class:`~flows.graph.GraphError` if it cannot be read.
    """
    with borrowed():
        return compile_published(FlowVersion.objects.values_list("graph", flat=True).get(pk=version_id))


def _load_active() -> UUID | None:
    with borrowed():
        return Flow.objects.filter(is_default=True).values_list("active_version_id", flat=True).first()


_active: VersionedCache[UUID | None] = VersionedCache(_load_active, Flow)


def active_version() -> UUID | None:
    """Return the version with which new runs start, or None while nothing is published."""
    return _active.get()


def forget() -> None:
    """Look again at the next question, in this process."""
    _active.clear()


def robot_facts(robot: RobotSnapshot, owner: str, private_address: str | None) -> RobotFacts:
    """Return what nodes may know of the robot, with the persona that serves it (seed §2.2)."""
    persona = select_persona(cast(), robot.persona_id, robot.group, robot.robot_type)
    return RobotFacts(
        mode=robot.mode,
        line_fresh_s=robot.line_fresh_s,
        reply_fresh_s=robot.reply_fresh_s,
        owner=owner,
        persona_id=str(persona.id),
        persona_type=persona.role_type,
        private_address=private_address,
    )


def robot_of(robot_id: UUID) -> RobotSnapshot:
    """Return a robot's snapshot; a robot made a moment ago is looked up anew."""
    found = robot_caches.robots_by_id().get(robot_id)
    if found is None:
        robot_caches.forget()
        found = robot_caches.robots_by_id()[robot_id]
    return found


def _match_rules(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "slug": found.slug,
            "name": found.name,
            "level": found.level,
            "code": found.code,
            "wanted": found.verdict.wanted,
            "actual": found.verdict.actual,
        }
        for found in match(alert_caches.rules(), facts)
    ]


knowledge = Knowledge(match_rules=_match_rules)
