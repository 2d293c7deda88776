"""The interpreter: decides what comes next in a run. Pure; it never does anything.

``advance`` walks the graph as far as it can without an outcome and returns the effects that it needs; ``deliver``
hands an outcome in. The edge rule: every edge ends *taken* or *skipped*; a node runs when all its incoming edges are
decided and one is taken, and is skipped when none is. Edges are decided after a node's last attempt. Whoever drives it
(the worker, a test run, a property test) decides how effects are performed.

A node sees what its ancestors have written, in topological order, and nothing of a node beside it: which of two ended
first changes nothing. An attempt that failed and may be repeated becomes an effect of its own (:class:`RetryAt`) under
the node's next ordinal; its stored outcome is where an interrupted walk goes on, so no attempt is walked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from flows.context import IMMUTABLE, StandardContext
from flows.graph import CompiledEdge, CompiledNode, Graph
from flows.nodes import (
    AskModel,
    Effect,
    HistoryLine,
    HttpCall,
    Knowledge,
    Next,
    NodeContext,
    NodeError,
    Notify,
    RaiseAlert,
    RobotFacts,
    SendCommands,
    WaitFor,
)
from flows.nodes._cel import explain
from flows.nodes._effects import RetryAt

__all__ = ["EffectKey", "Interpreter", "Request", "StepRecord"]

TAKEN, SKIPPED = "taken", "skipped"
#: What others have seen is not done again: a node that has asked for it has no further attempt.
_SEEN = (SendCommands, RaiseAlert, Notify)
#: Methods whose repetition does no harm, even if nobody knows whether the first call arrived.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


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
class _Attempt:
    """Where a node stands. ``ordinal`` is that of its last effect, ``started_at`` when its first attempt began."""

    ctx: NodeContext
    started_at: datetime
    number: int = 1
    ordinal: int = -1
    errors: tuple[str, ...] = ()
    is_last: bool = False


@dataclass(slots=True)
class _Open:
    """A node that has started and waits for an outcome."""

    effect: Effect
    ordinal: int
    attempt: _Attempt


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
        retries: Mapping[EffectKey, Mapping[str, Any]] | None = None,
    ) -> None:
        """``retries``: intents of repetitions that are still waited for; those that are over stand in ``outcomes``."""
        self.graph = graph
        self.context = start
        self.robot = robot
        self.knowledge = knowledge
        self.history = history
        self.edges: dict[str, str] = {}
        self.steps: list[StepRecord] = []
        self._start = start
        self._place = {node_id: place for place, node_id in enumerate(graph.nodes)}
        self._patches: dict[str, Mapping[str, Any]] = {}
        self._outcomes = dict(outcomes or {})
        self._retries = _latest_retries({**self._outcomes, **(retries or {})})
        self._done: set[str] = set()
        self._open: dict[str, _Open] = {}
        for step in sorted(steps, key=lambda item: item.ordinal):
            self._apply(step)

    # -- driving -------------------------------------------------------------------------------------------------------

    def advance(self, now: datetime) -> list[Request]:
        """Go on as far as possible; return the effects that are needed now (also those asked for before)."""
        for node in self.graph.nodes.values():  # in topological order: what a visit decides comes later
            if node.id not in self._done and node.id not in self._open and self._is_decided(node):
                self._visit(node, now)
        return [Request(EffectKey(node_id, item.ordinal), item.effect) for node_id, item in self._open.items()]

    def deliver(self, key: EffectKey, outcome: Mapping[str, Any], now: datetime) -> None:
        """Hand in the outcome of an effect; call :meth:`advance` afterwards."""
        node = self.graph.nodes[key.node_id]
        item = self._open.pop(key.node_id)
        if item.ordinal != key.ordinal:
            raise ValueError(f"{key} was delivered, but {key.node_id} waits for ordinal {item.ordinal}")
        self._outcomes[key] = outcome
        item.attempt.ctx.now = now
        self._step(node, item, now)

    @property
    def finished(self) -> bool:
        """Whether every node is done or skipped, so that nothing can happen any more."""
        return not self._open and len(self._done) == len(self.graph.nodes)

    @property
    def failure(self) -> StepRecord | None:
        """The step that makes the run fail: of several the first in topological order."""
        return min(
            (step for step in self.steps if step.stops), key=lambda step: self._place[step.node_id], default=None
        )

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
            self.edges[edge.id] = TAKEN if edge.port == port and self._holds(edge, node) else SKIPPED

    def _holds(self, edge: CompiledEdge, source: CompiledNode) -> bool:
        if not edge.condition:
            return True
        try:
            return bool(explain(edge.condition, self._known_to(source.ancestors | {source.id})).matched)
        except ValueError:
            return False

    # -- the context ---------------------------------------------------------------------------------------------------

    def _known_to(self, ancestors: frozenset[str]) -> StandardContext:
        """Return the context with what these nodes have written."""
        if self._patches.keys() <= ancestors:
            return self.context
        return self._merged(self._patches.keys() & ancestors)

    def _merged(self, node_ids: Set[str]) -> StandardContext:
        context = self._start
        for node_id in sorted(node_ids, key=self._place.__getitem__):
            context = context.patched(self._patches[node_id])
        return context

    # -- one node ------------------------------------------------------------------------------------------------------

    def _begin(self, node: CompiledNode, now: datetime) -> None:
        """Begin the node; one that was interrupted goes on after the last failed attempt that is on record."""
        found = self._retries.get(node.id)
        if found is None:
            self._try(node, _Attempt(self._node_context(node, now), now), now)
            return
        key, retry = found
        attempt = _Attempt(self._node_context(node, now), retry.started_at, retry.attempt, key.ordinal, retry.errors)
        if key in self._outcomes:
            self._try(node, _next(attempt), now)
        else:
            self._open[node.id] = _Open(retry, key.ordinal, attempt)

    def _node_context(self, node: CompiledNode, now: datetime) -> NodeContext:
        before = tuple(step.node_id for step in self.steps if step.node_id in node.ancestors)
        known = self._known_to(node.ancestors)
        return NodeContext(
            data=known.model_copy(update={"current_node_id": node.id, "execution_path": before}),
            now=now,
            robot=self.robot,
            knowledge=self.knowledge,
            history=self.history,
        )

    def _try(self, node: CompiledNode, attempt: _Attempt, now: datetime) -> None:
        try:
            result = node.plugin.run(attempt.ctx)
        except NodeError as error:
            self._fail(node, str(error), attempt, now)
            return
        self._take(node, result, attempt, now)

    def _step(self, node: CompiledNode, item: _Open, now: datetime) -> None:
        attempt = item.attempt
        if isinstance(item.effect, RetryAt):
            self._try(node, _next(attempt), now)
            return
        outcome = self._outcomes[EffectKey(node.id, item.ordinal)]
        attempt.is_last = attempt.is_last or _may_not_be_repeated(item.effect, outcome)
        try:
            result = node.plugin.resume(attempt.ctx, item.effect, outcome)
        except NodeError as error:
            self._fail(node, str(error), attempt, now)
            return
        self._take(node, result, attempt, now)

    def _take(self, node: CompiledNode, result: Next | Effect, attempt: _Attempt, now: datetime) -> None:
        if isinstance(result, Next):
            self._finish(node, result, attempt, now)
        else:
            self._ask(node, _limited(result, node.policy.time_left(attempt.started_at, now), now), attempt, now)

    def _ask(self, node: CompiledNode, effect: Effect, attempt: _Attempt, now: datetime) -> None:
        attempt.ordinal += 1
        item = _Open(effect, attempt.ordinal, attempt)
        if EffectKey(node.id, item.ordinal) in self._outcomes:
            self._step(node, item, now)  # performed before a crash: replayed, never performed again
        else:
            self._open[node.id] = item

    def _finish(self, node: CompiledNode, result: Next, attempt: _Attempt, now: datetime) -> None:
        forbidden = IMMUTABLE & result.patch.keys()
        if forbidden:
            attempt.is_last = True
            self._fail(node, f"it wrote {', '.join(sorted(forbidden))}, which no node may change", attempt, now)
            return
        self._record(node, result.port, result.patch, attempt, now, detail=result.detail, events=result.events)

    def _fail(self, node: CompiledNode, error: str, attempt: _Attempt, now: datetime) -> None:
        """Try again where the policy allows it; else decide the edges: error port, default value, or stop."""
        attempt.errors = (*attempt.errors, error)
        seed = f"{self._start.message_id}:{node.id}"
        again = node.policy.next_attempt(attempt.number, attempt.started_at, now, seed)
        if again is not None and not attempt.is_last:
            self._ask(node, RetryAt(again, attempt.number, attempt.started_at, attempt.errors), attempt, now)
        elif node.on_error == "default":
            self._record(node, node.main_port, node.default, attempt, now, detail={"default": True}, error=error)
        elif node.on_error == "port" and any(edge.port == "error" for edge in node.outgoing):
            self._record(node, "error", {}, attempt, now, error=error)
        else:
            self._record(node, "", {}, attempt, now, error=error)

    def _record(
        self,
        node: CompiledNode,
        port: str,
        patch: Mapping[str, Any],
        attempt: _Attempt,
        now: datetime,
        *,
        detail: Mapping[str, Any] | None = None,
        error: str = "",
        events: tuple[tuple[str, Mapping[str, Any]], ...] = (),
    ) -> None:
        tried = {"attempts": attempt.number, "errors": list(attempt.errors)} if attempt.number > 1 else {}
        step = StepRecord(
            ordinal=len(self.steps),
            node_id=node.id,
            node_type=node.type,
            port=port,
            patch=patch,
            started_at=attempt.started_at,
            ended_at=now,
            detail={**(detail or {}), **tried},
            logs=tuple(attempt.ctx.logs),
            error=error,
            events=events,
        )
        self._apply(step)

    def _apply(self, step: StepRecord) -> None:
        """Take a step into the walk: fresh, or read back after an interruption."""
        node = self.graph.nodes[step.node_id]
        follows_all = all(self._place[other] < self._place[node.id] for other in self._patches)
        self.steps.append(step)
        self._done.add(node.id)
        self._patches[node.id] = step.patch
        self.context = self.context.patched(step.patch) if follows_all else self._merged(self._patches.keys())
        self._decide(node, step.port)


def _next(attempt: _Attempt) -> _Attempt:
    return replace(attempt, number=attempt.number + 1)


def _may_not_be_repeated(effect: Effect, outcome: Mapping[str, Any]) -> bool:
    if isinstance(effect, HttpCall):
        return bool(outcome.get("unknown")) and effect.method.upper() not in _IDEMPOTENT
    return isinstance(effect, _SEEN)


def _limited(effect: Effect, seconds: float | None, now: datetime) -> Effect:
    """Shorten what an effect may take to what the node's policy leaves."""
    if seconds is None:
        return effect
    left = max(seconds, 0.1)
    if isinstance(effect, AskModel | HttpCall):
        return replace(effect, timeout_s=min(effect.timeout_s, left))
    if isinstance(effect, WaitFor):
        return replace(effect, until=min(effect.until, now + timedelta(seconds=left)))
    return effect


def _latest_retries(effects: Mapping[EffectKey, Mapping[str, Any]]) -> dict[str, tuple[EffectKey, RetryAt]]:
    """Return each node's last retry on record."""
    latest: dict[str, tuple[EffectKey, RetryAt]] = {}
    for key, stored in sorted(effects.items(), key=lambda item: item[0].ordinal):
        if "retry" in stored:
            latest[key.node_id] = (key, RetryAt.from_json(stored))
    return latest
