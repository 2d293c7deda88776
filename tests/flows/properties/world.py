"""A world in memory that real walks are driven in: it stores what they commit, may crash at any commit, wakes waits.

The walk, its interpreter and what they put into a commit are the product's own; the database, the models, the phone and
the clock are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest import mock
from uuid import UUID

from flows.engine import runner
from flows.engine.claims import Claim, HeadRun
from flows.engine.interpreter import EffectKey, Request, StepRecord
from flows.engine.performers import Performed
from flows.engine.runner import Walk
from flows.graph import Graph, compile_published
from flows.nodes import (
    AskModel,
    CommandDraft,
    Effect,
    HttpCall,
    Next,
    Node,
    NodeContext,
    NodeError,
    RaiseAlert,
    RobotFacts,
    SendCommands,
    WaitFor,
    WaitUntil,
)
from tests.flows.builders import NOW, context
from worktool_ai.lib.config import PluginConfig

FACTS = RobotFacts(mode="automatic", line_fresh_s=300, reply_fresh_s=180, owner="robot")
SOMEBODY = UUID(int=1)
#: More than any walk of these graphs needs.
ENOUGH = 400


class Scripted(Node):
    """Asks for one effect after the other; the last outcome decides its port, a bad one its failure."""

    key: ClassVar[str] = "scripted"
    label: ClassVar[str] = "scripted"
    ports: ClassVar[tuple[str, ...]] = ("next", "other", "error")
    tried: ClassVar[Counter[str]] = Counter()

    class Config(PluginConfig):
        asks: tuple[str, ...] = ()

    def run(self, ctx: NodeContext) -> Next | Effect:
        self.tried[ctx.data.current_node_id] += 1
        return self._go_on(ctx, 0, {})

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next | Effect:
        if outcome.get("bad"):
            raise NodeError(f"bad outcome of {effect.kind}")
        asked = ctx.logs[-1]["position"] if ctx.logs else 0
        return self._go_on(ctx, asked + 1, outcome)

    def _go_on(self, ctx: NodeContext, position: int, outcome: Mapping[str, Any]) -> Next | Effect:
        ctx.log("asks", position=position)
        if position < len(self.config.asks):
            return EFFECTS[self.config.asks[position]](ctx)
        name = ctx.data.current_node_id
        known = f"{ctx.data.ai_response} of {sorted(ctx.data.variables)}"
        return Next(outcome.get("port", "next"), {"ai_response": name, "variables": {name: known}})


EFFECTS: dict[str, Callable[[NodeContext], Effect]] = {
    "model": lambda ctx: AskModel(task="reply", text="x"),
    "send": lambda ctx: SendCommands(commands=(CommandDraft(target="客服群", text="好"),)),
    "alert": lambda ctx: RaiseAlert(code="x", level="info", title="x", fingerprint="x"),
    "post": lambda ctx: HttpCall(method="POST", url="https://example.org"),
    "wait": lambda ctx: WaitUntil(at=ctx.now + timedelta(minutes=1)),
    "result": lambda ctx: WaitFor(command_id=str(SOMEBODY), until=ctx.now + timedelta(minutes=1)),
}


class Crash(BaseException):
    """The process is killed here."""


@dataclass(slots=True)
class World:
    """``outcomes[node]`` are the models' and services' answers by ordinal; ``crashes`` maps a commit's number to
    whether it is killed before (False) or after (True) it."""

    document: Mapping[str, Any]
    answers: Mapping[str, list[dict[str, Any]]]
    crashes: Mapping[int, bool] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    clock: datetime = NOW
    commits: int = 0
    state: str = "queued"
    reason: str = ""
    edges: dict[str, str] = field(default_factory=dict)
    steps: dict[str, StepRecord] = field(default_factory=dict)
    outcomes: dict[EffectKey, dict[str, Any]] = field(default_factory=dict)
    intents: dict[EffectKey, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    waits: dict[EffectKey, bool] = field(default_factory=dict)
    commands: Counter[str] = field(default_factory=Counter)
    alerts: Counter[EffectKey] = field(default_factory=Counter)
    called: Counter[EffectKey] = field(default_factory=Counter)
    walks: int = 0

    @property
    def graph(self) -> Graph:
        return compile_published(self.document)

    def finish(self) -> None:
        """Walk, crash, wake and walk again until the run has ended."""
        with self._in_place():
            for _ in range(ENOUGH):
                if self.state in ("done", "failed"):
                    return
                if self.state in ("settling", "parked"):
                    self._wake()
                else:
                    self._walk()
        raise AssertionError(f"the run never ended: {self.state}")

    def result(self) -> dict[str, Any]:
        """Everything of the run that must not depend on where it was interrupted."""
        return {
            "state": self.state,
            "reason": self.reason,
            "edges": self.edges,
            "steps": {name: (step.port, step.error, step.patch, step.detail) for name, step in self.steps.items()},
            "commands": dict(self.commands),
            "alerts": dict(self.alerts),
        }

    # -- the process ---------------------------------------------------------------------------------------------------

    def _walk(self) -> None:
        self.walks += 1
        self.state = "active"
        try:
            _WorldWalk(self._head(), self).go()
        except Crash:
            self.state = "active"

    def _head(self) -> HeadRun:
        open_intents = {key: intent for key, intent in self.intents.items() if key not in self.outcomes}
        return HeadRun(
            claim=Claim(SOMEBODY, 1),
            run_id=SOMEBODY,
            message_id=SOMEBODY,
            version_id=SOMEBODY,
            input=context().model_dump(mode="json"),
            recoveries=0,
            started_at=self.clock,
            robot_id=SOMEBODY,
            room_id=SOMEBODY,
            owner="robot",
            owner_epoch=0,
            received_at=self.clock,
            steps=tuple(self.steps.values()),
            outcomes=dict(self.outcomes),
            intents={key: kind for key, (kind, _intent) in open_intents.items()},
            history=(),
            private_address=None,
            retries={key: intent for key, (kind, intent) in open_intents.items() if kind == "retry"},
        )

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        robot = SimpleNamespace(slug="demo", group="客服", sends_itself=True)
        performers = SimpleNamespace(
            queue_commands=lambda effect, head, robot, node_id: Performed({"sendIds": ["s"]}, commands=[node_id]),
            raise_alert=lambda effect, head: {"alertId": "a"},
        )
        with mock.patch.multiple(
            runner,
            graph_of=lambda version: self.graph,
            robot_of=lambda robot_id: robot,
            robot_facts=lambda *_: FACTS,
            now=lambda: self.clock,
            time=SimpleNamespace(sleep=self._sleep),
            writer=SimpleNamespace(commit=self._commit),
            store=SimpleNamespace(write_with=self._commit_with),
            performers=performers,
        ):
            yield

    def _sleep(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)

    # -- what it does outside ------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Performed:
        """A model or a service answers. What is on record is never asked for again."""
        assert request.key not in self.outcomes, "a stored outcome was performed again"
        self.called[request.key] += 1
        answers = self.answers[request.key.node_id]
        found = answers[request.key.ordinal % len(answers)]
        return Performed({"bad": found["bad"], "port": found["port"]}, is_costly=found["costly"])

    # -- the database --------------------------------------------------------------------------------------------------

    def _commit(self, progress: Any) -> int:
        return self._commit_with(progress, list)

    def _commit_with(self, progress: Any, perform: Callable[[], list[Any]]) -> int:
        self.commits += 1
        dies_after = self.crashes.get(self.commits)
        if dies_after is False:
            raise Crash
        rows = perform()
        self.alerts.update(row.key for row in rows)
        self._store(progress, rows)
        if dies_after:
            raise Crash
        return 0

    def _store(self, progress: Any, rows: list[Any]) -> None:
        for step in progress.steps:
            assert step.node_id not in self.steps, "a node ran twice"
            assert step.ordinal == len(self.steps)
            self.steps[step.node_id] = step
        for row in [*progress.effects, *rows]:
            known = self.intents.setdefault(row.key, (row.kind, row.intent))
            assert known[0] == row.kind, "two effects under one key"
            if row.outcome is not None:
                assert row.key not in self.outcomes, "an outcome was stored twice"
                self.outcomes[row.key] = row.outcome
        for wait in progress.waits:
            self.waits.setdefault(wait.key, True)
        self.commands.update(progress.commands)
        self.state, self.reason = progress.state, progress.reason
        self.edges = progress.edges

    def _wake(self) -> None:
        """One of the open waits is over: which one, the drawn order says."""
        still_open = [key for key, is_open in self.waits.items() if is_open]
        chosen = still_open[(self.order.pop() if self.order else 0) % len(still_open)]
        self.waits[chosen] = False
        kind, intent = self.intents[chosen]
        self.outcomes.setdefault(chosen, {"state": "done"} if kind == "wait_for" else intent)
        self.clock += timedelta(minutes=1)
        self.state = "queued"


class _WorldWalk(Walk):
    """The product's walk; models and services answer out of the world."""

    def __init__(self, head: HeadRun, world: World) -> None:
        self.world = world
        super().__init__(head)

    def _ask_models(self, requests: list[Request]) -> None:
        for request in requests:
            self._take(request, self.world.answer(request))

    def _call_http(self, request: Request, effect: HttpCall) -> None:
        runner.performers.call_http = lambda _effect: self.world.answer(request)  # in the world's place, not ours
        super()._call_http(request, effect)
