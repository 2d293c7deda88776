"""A run told step by step: what each node did, asked for, decided and changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from flows.content import PICTURE_PROBLEMS
from flows.context import to_api
from flows.drawing import type_label
from flows.models import Effect, Run, Step
from personas.models import AICall
from robots.models import Command
from worktool_ai.accounts.admin_pages import page_of
from worktool_ai.accounts.permissions import may_touch

__all__ = ["Timeline", "seconds", "timeline_of"]

UNKNOWN = "—"


@dataclass(slots=True)
class Entry:
    """One node's part: its step (None while it still waits for an effect) and the effects that it asked for."""

    node_id: str
    name: str
    type: str
    step: Step | None = None
    took: str = UNKNOWN
    patch: dict[str, Any] = field(default_factory=dict)
    tried: list[Mapping[str, Any]] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)
    logs: list[Mapping[str, Any]] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Linked:
    """A row of another table with its page, where there is one for this person."""

    row: Any
    url: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that happened in a run, in order. ``shows_effects`` is False for who may not see them."""

    entries: list[Entry]
    calls: list[Linked]
    commands: list[Linked]
    line: Linked
    #: why the line's picture was not looked at, as a sentence
    picture_problem: str
    shows_effects: bool
    shows_calls: bool


def timeline_of(run: Run, person: Any) -> Timeline:
    """Return a run's timeline as this person may see it."""
    shows_effects = may_touch(person, "view", "flows", "effect")
    shows_calls = may_touch(person, "view", "personas", "aicall")
    effects = run.effects.order_by("created_at", "ordinal") if shows_effects else []
    calls = AICall.objects.filter(run_id=run.pk).order_by("created_at", "pk") if shows_calls else []
    commands = Command.objects.filter(run_id=run.pk).order_by("seq")
    entries = _entries(run, effects)
    return Timeline(
        entries=entries,
        calls=[_linked(person, call) for call in calls],
        commands=[_linked(person, command) for command in commands],
        line=_linked(person, run.message),
        picture_problem=_picture_problem(entries),
        shows_effects=shows_effects,
        shows_calls=shows_calls,
    )


def _picture_problem(entries: Iterable[Entry]) -> str:
    found = (entry.patch["pictureProblem"] for entry in entries if entry.patch.get("pictureProblem"))
    return next((_(PICTURE_PROBLEMS[problem]) for problem in found if problem in PICTURE_PROBLEMS), "")


def _linked(person: Any, row: Any) -> Linked:
    return Linked(row, page_of(person, row._meta.label_lower, "change", str(row.pk)))


def _entries(run: Run, effects: Iterable[Effect]) -> list[Entry]:
    names = {node["id"]: node.get("name", "") for node in run.version.graph.get("nodes", ())}
    types = {node["id"]: node["type"] for node in run.version.graph.get("nodes", ())}
    entries: dict[str, Entry] = {}
    for step in run.steps.order_by("ordinal"):
        entries[step.node_id] = _entry(step, names)
    for effect in effects:
        kind = types.get(effect.node_id, "")
        waiting = Entry(effect.node_id, names.get(effect.node_id) or type_label(kind), type_label(kind))
        entries.setdefault(effect.node_id, waiting).effects.append(effect)
    return list(entries.values())


def _entry(step: Step, names: Mapping[str, str]) -> Entry:
    detail = dict(step.detail)
    return Entry(
        node_id=step.node_id,
        name=names.get(step.node_id) or type_label(step.node_type),
        type=type_label(step.node_type),
        step=step,
        took=seconds(step.ended_at - step.started_at),
        patch=to_api(step.patch),
        tried=detail.pop("tried", []),
        detail=detail,
        logs=step.logs,
    )


def seconds(length: timedelta | None) -> str:
    """Return a duration for people: milliseconds below a second, else seconds; a dash for an unknown one."""
    if length is None:
        return UNKNOWN
    ms = length.total_seconds() * 1000
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
