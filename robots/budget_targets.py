"""Robots and rooms as what a budget can be for."""

from __future__ import annotations

from django.db.models import QuerySet

from personas.budgets.models import BudgetScope
from personas.budgets.targets import Source, register
from robots.models import Robot, Room
from worktool_ai.accounts.scopes import Scope

__all__ = ["register_targets"]


def register_targets() -> None:
    register(BudgetScope.ROBOT, Source(_robots, lambda robot: f"{robot.name} ({robot.slug})"))
    register(BudgetScope.ROOM, Source(_rooms, lambda room: f"{room.name} · {room.robot.slug}"))


def _robots(scope: Scope) -> QuerySet[Robot]:
    return scope.filter(Robot.objects.all(), "")


def _rooms(scope: Scope) -> QuerySet[Room]:
    """Groups only: the name of a private chat is a person's."""
    return scope.filter(Room.objects.filter(is_group=True).select_related("robot"), "robot")
