"""A graph as it is stored.

``{"nodes": [{"id", "type", "name", "config", "on_error", "default", "timeout_s", "retries", "retry_wait_s",
"deadline_s"}], "edges": [{"id", "source", "port", "target", "condition"}], "layout": {...}}``
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.translation import gettext as _
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.policies import MAX_RETRIES, MAX_RETRY_WAIT_S
from worktool_ai.lib.config import problem_text

__all__ = [
    "EdgeSpec",
    "GraphError",
    "GraphSpec",
    "NodeSpec",
    "OnError",
    "Problem",
    "from_pydantic",
    "node_place",
    "read",
]

ID_PATTERN = r"^[a-z][a-z0-9_-]{0,59}$"

OnError = Literal["stop", "default", "port"]


class NodeSpec(BaseModel):
    """A node as it is stored. ``on_error``: stop the run, go on with ``default`` (marked), or take the error port.

    Durations are seconds, and 0 sets no limit: ``timeout_s`` for what one attempt asks for, ``deadline_s`` for the
    whole node with its waits. A failed attempt is repeated ``retries`` times, after ``retry_wait_s``, then twice that …
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=ID_PATTERN)
    type: str
    name: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    on_error: OnError = "port"
    default: dict[str, Any] = Field(default_factory=dict)
    timeout_s: float = Field(default=0, ge=0, le=3600)
    retries: int = Field(default=0, ge=0, le=MAX_RETRIES)
    retry_wait_s: float = Field(default=1, ge=0, le=MAX_RETRY_WAIT_S)
    deadline_s: float = Field(default=0, ge=0, le=86400)


class EdgeSpec(BaseModel):
    """An edge as it is stored: taken when its source leaves by ``port`` and its condition, if any, holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=ID_PATTERN)
    source: str
    port: str = "next"
    target: str
    condition: str = ""


class GraphSpec(BaseModel):
    """A graph as it is stored. ``layout`` is the editor's business."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nodes: tuple[NodeSpec, ...]
    edges: tuple[EdgeSpec, ...] = ()
    layout: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what, and how to mend it."""

    place: str
    problem: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem} {self.way_out}"


class GraphError(ValueError):
    """A graph cannot be used; ``problems`` names every one."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def read(document: Mapping[str, Any]) -> GraphSpec:
    """Return a stored graph's nodes and edges, whether or not they fit each other; raises :class:`GraphError`."""
    try:
        return GraphSpec.model_validate(document)
    except ValidationError as error:
        raise GraphError([from_pydantic(_("graph"), item) for item in error.errors()]) from None


def from_pydantic(place: str, item: Any) -> Problem:
    """Say what pydantic found wrong, for people."""
    where = ".".join(str(part) for part in item["loc"])
    return Problem(f"{place} {where}".strip(), problem_text(item), _("Correct this field."))


def node_place(node_id: str) -> str:
    """Name a node as the place of a problem."""
    return _("node %(id)s") % {"id": node_id}
