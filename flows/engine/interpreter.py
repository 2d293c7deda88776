"""The interpreter: decides what comes next in a run. Pure; it never does anything.

``advance`` walks the graph as far as it can without an outcome and returns the effects that it needs; ``deliver``
hands an outcome in. The edge rule: every edge ends *taken* or *skipped*; a node runs when all its incoming edges are
decided and one is taken, and is skipped when none is. Whoever drives it (the worker, a test run, a property test)
decides how effects are performed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flows.context import IMMUTABLE, StandardContext
from flows.graph import CompiledEdge, CompiledNode, Graph
from flows.nodes import Effect, HistoryLine, Knowledge, Next, NodeContext, NodeError, RobotFacts
from flows.nodes._cel import explain

__all__ = ["EffectKey", "Interpreter", "Request", "StepRecord"]

TAKEN, SKIPPED = "taken", "skipped"


@dataclass(frozen=True, slots=True)
class EffectKey:
    """Under which an effect's intent and outcome are stored, within its run."""

    node_id: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class Request:
    """An effect whose outcome the interpreter needs."""

    key: EffectKey
    effect: Effect


@dataclass(slots=True)
class StepRecord:
    """What a node did, ready to be stored."""

    ordinal: int
    node_id: str
    node_type: str
    port: str
    patch: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)
    logs: Sequence[Mapping[str, Any]] = ()
    error: str = ""
    events: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    @property
    def stops(self) -> bool:
        """Whether this failure ends the run: nothing in the flow answers it. Siblings still finish."""
        return bool(self.error) and self.port == "" and not self.detail.get("default")


@dataclass(slots=True)
class _Open:
    """A node that has started and waits for an outcome."""

    effect: Effect
    ordinal: int
    ctx: NodeContext
    started_at: datetime


class Interpreter:
    """One run's walk through its graph. Give it stored steps and outcomes to continue an interrupted one."""

    def __init__(
        self,
        graph: Graph,
        start: StandardContext,
        *,
        robot: RobotFacts,
        knowledge: Knowledge,
        history: tuple[HistoryLine, ...] = (),
        steps: Sequence[StepRecord] = (),
        outcomes: Mapping[EffectKey, Mapping[str, Any]] | None = None,
    ) -> None:
        self.graph = graph
        self.context = start
        self.robot = robot
        self.knowledge = knowledge
        self.history = history
        self.edges: dict[str, str] = {}
        self.steps: list[StepRecord] = []
        self.failure: StepRecord | None = None
        self._outcomes = dict(outcomes or {})
        self._done: set[str] = set()
        self._open: dict[str, _Open] = {}
        for step in sorted(steps, key=lambda item: item.ordinal):
            self._apply(step)

    # -- driving -------------------------------------------------------------------------------------------------------

    def advance(self, now: datetime) -> list[Request]:
        """Go on as far as possible; return the effects that are needed now (also those asked for before)."""
        progress = True
        while progress:
            progress = False
            for node in self.graph.nodes.values():
                if node.id not in self._done and node.id not in self._open and self._is_decided(node):
                    self._visit(node, now)
                    progress = True
        return [Request(EffectKey(node_id, item.ordinal), item.effect) for node_id, item in self._open.items()]

    def deliver(self, key: EffectKey, outcome: Mapping[str, Any], now: datetime) -> None:
        """Hand in the outcome of an effect; call :meth:`advance` afterwards."""
        node = self.graph.nodes[key.node_id]
        item = self._open.pop(key.node_id)
        if item.ordinal != key.ordinal:
            raise ValueError(f"{key} was delivered, but {key.node_id} waits for ordinal {item.ordinal}")
        self._outcomes[key] = outcome
        item.ctx.now = now
        self._step(node, item, now)

    @property
    def finished(self) -> bool:
        """Whether every node is done or skipped, so that nothing can happen any more."""
        return not self._open and len(self._done) == len(self.graph.nodes)

    # -- the edge rule -------------------------------------------------------------------------------------------------

    def _is_decided(self, node: CompiledNode) -> bool:
        return all(edge.id in self.edges for edge in node.incoming)

    def _visit(self, node: CompiledNode, now: datetime) -> None:
        if node.incoming and not any(self.edges[edge.id] == TAKEN for edge in node.incoming):
            self._skip(node)
        else:
            self._begin(node, now)

    def _skip(self, node: CompiledNode) -> None:
        self._done.add(node.id)
        for edge in node.outgoing:
            self.edges[edge.id] = SKIPPED

    def _decide(self, node: CompiledNode, port: str) -> None:
        for edge in node.outgoing:
            self.edges[edge.id] = TAKEN if edge.port == port and self._holds(edge) else SKIPPED

    def _holds(self, edge: CompiledEdge) -> bool:
        if not edge.condition:
            return True
        try:
            return bool(explain(edge.condition, self.context).matched)
        except ValueError:
            return False

    # -- one node ------------------------------------------------------------------------------------------------------

    def _begin(self, node: CompiledNode, now: datetime) -> None:
        ctx = NodeContext(
            data=self.context.model_copy(
                update={
                    "current_node_id": node.id,
                    "execution_path": tuple(step.node_id for step in self.steps),
                }
            ),
            now=now,
            robot=self.robot,
            knowledge=self.knowledge,
            history=self.history,
        )
        try:
            result = node.plugin.run(ctx)
        except NodeError as error:
            self._fail(node, str(error), ctx, now, now)
            return
        self._take(node, result, -1, ctx, now, now)

    def _step(self, node: CompiledNode, item: _Open, now: datetime) -> None:
        outcome = self._outcomes[EffectKey(node.id, item.ordinal)]
        try:
            result = node.plugin.resume(item.ctx, item.effect, outcome)
        except NodeError as error:
            self._fail(node, str(error), item.ctx, item.started_at, now)
            return
        self._take(node, result, item.ordinal, item.ctx, item.started_at, now)

    def _take(
        self,
        node: CompiledNode,
        result: Next | Effect,
        ordinal: int,
        ctx: NodeContext,
        started: datetime,
        now: datetime,
    ) -> None:
        if isinstance(result, Next):
            self._finish(node, result, ctx, started, now)
            return
        item = _Open(result, ordinal + 1, ctx, started)
        if EffectKey(node.id, item.ordinal) in self._outcomes:
            self._step(node, item, now)  # performed before a crash: replayed, never performed again
        else:
            self._open[node.id] = item

    def _finish(self, node: CompiledNode, result: Next, ctx: NodeContext, started: datetime, now: datetime) -> None:
        forbidden = IMMUTABLE & result.patch.keys()
        if forbidden:
            self._fail(node, f"it wrote {', '.join(sorted(forbidden))}, which no node may change", ctx, started, now)
            return
        self._record(node, result.port, result.patch, ctx, started, now, detail=result.detail, events=result.events)

    def _fail(self, node: CompiledNode, error: str, ctx: NodeContext, started: datetime, now: datetime) -> None:
        """Decide the edges after the last attempt: error port, default value, or stop."""
        if node.on_error == "default":
            port = node.plugin.ports[0] if node.plugin.ports else ""
            self._record(node, port, node.default, ctx, started, now, detail={"default": True}, error=error)
        elif node.on_error == "port" and any(edge.port == "error" for edge in node.outgoing):
            self._record(node, "error", {}, ctx, started, now, error=error)
        else:
            self._record(node, "", {}, ctx, started, now, error=error)

    def _record(
        self,
        node: CompiledNode,
        port: str,
        patch: Mapping[str, Any],
        ctx: NodeContext,
        started: datetime,
        now: datetime,
        *,
        detail: Mapping[str, Any] | None = None,
        error: str = "",
        events: tuple[tuple[str, Mapping[str, Any]], ...] = (),
    ) -> None:
        step = StepRecord(
            ordinal=len(self.steps),
            node_id=node.id,
            node_type=node.type,
            port=port,
            patch=patch,
            started_at=started,
            ended_at=now,
            detail=detail or {},
            logs=tuple(ctx.logs),
            error=error,
            events=events,
        )
        self._apply(step)

    def _apply(self, step: StepRecord) -> None:
        """Take a step into the walk: fresh, or read back after an interruption."""
        self.steps.append(step)
        self._done.add(step.node_id)
        if step.stops:
            self.failure = step
        self.context = self.context.patched(step.patch)
        self._decide(self.graph.nodes[step.node_id], step.port)
