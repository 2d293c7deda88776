"""Flow nodes: one file each (``flows/nodes/<key>.py``), found by folder.

A node is pure and synchronous: no I/O, no ORM, time only from ``ctx.now``. ``run`` returns :class:`Next` (the port to
leave by and a patch to the context) or one effect. The engine performs the effect, stores intent and outcome under
(run, node, ordinal) and calls ``resume``; a stored outcome is replayed, never performed again. That is why test runs,
replay and property tests exchange the performer and never the node.

To add a node: write the class with ``key`` (= file name), ``label``, ``ports``, a ``Config`` and ``run``; add
``tests/flows/nodes/test_<key>.py``. Nothing else is edited.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from flows.context import StandardContext
from flows.nodes._effects import (
    AskModel,
    CommandDraft,
    Effect,
    HttpCall,
    Notify,
    RaiseAlert,
    SendCommands,
    WaitFor,
    WaitUntil,
)
from worktool_ai.lib.registry import Plugin, Registry

__all__ = [
    "AskModel",
    "CommandDraft",
    "Effect",
    "HistoryLine",
    "HttpCall",
    "Knowledge",
    "Next",
    "Node",
    "NodeContext",
    "NodeError",
    "Notify",
    "RaiseAlert",
    "RobotFacts",
    "SendCommands",
    "WaitFor",
    "WaitUntil",
    "registry",
]


class NodeError(Exception):
    """A node cannot go on. The edge rule decides: its error port where connected, else the run fails."""


@dataclass(frozen=True, slots=True)
class Next:
    """Leave by ``port``, merge ``patch`` into the context. ``detail`` explains it, ``events`` are told."""

    port: str = "next"
    patch: Mapping[str, Any] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[tuple[str, Mapping[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """An earlier line of the conversation; ``role`` is "user" for the customer, "assistant" for the robot."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class RobotFacts:
    """What nodes may know of the robot. Durations in seconds."""

    mode: str
    line_fresh_s: int
    reply_fresh_s: int
    owner: str
    persona_id: str | None = None
    persona_type: str | None = None
    #: the remark under which this person can be written to privately; only for a known contact whose remark is unique
    private_address: str | None = None


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Snapshots that the engine hands in, so that a node that needs configuration stays pure."""

    #: facts -> the alert rules that match: slug, level, code, wanted, actual (see alerts.matching)
    match_rules: Callable[[Mapping[str, Any]], list[dict[str, Any]]]


@dataclass(slots=True)
class NodeContext:
    """What a node sees: the context, the moment, its neighbours' snapshots, and a place for log lines."""

    data: StandardContext
    now: datetime
    robot: RobotFacts
    knowledge: Knowledge
    history: tuple[HistoryLine, ...] = ()
    logs: list[dict[str, Any]] = field(default_factory=list)

    def log(self, text: str, **fields: Any) -> None:
        """Keep a line with this step; shown wherever the step is."""
        self.logs.append({"at": self.now.isoformat(), "text": text, **fields})


class Node(Plugin):
    """One kind of node. Built with its validated Config; holds no state between calls."""

    #: The ports it can leave by. ``error`` among them means that a failure can be answered within the flow.
    ports: ClassVar[tuple[str, ...]] = ("next",)
    #: One sentence for the editor.
    does: ClassVar[str] = ""

    def __init__(self, config: Any) -> None:
        self.config = config

    @classmethod
    def ports_for(cls, config: Any) -> tuple[str, ...]:
        """Return the ports of a configured node; a decision has one per rule."""
        return cls.ports

    @abstractmethod
    def run(self, ctx: NodeContext) -> Next | Effect:
        """Do the node's work, or ask for one effect."""

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next | Effect:
        """Go on with an effect's outcome. Nodes without effects never get here."""
        raise NodeError(f"{self.key} asked for no effect and cannot be resumed")


registry: Registry[Node] = Registry("flow node", Node, "flows.nodes")  # type: ignore[type-abstract]
