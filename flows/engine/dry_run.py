"""Running a line through a graph without any effect outside: the node code is the real one, the performer is not.

Models are asked (the local one, unless a persona has another); commands, alerts and deliveries are only written down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flows.context import StandardContext
from flows.engine import performers
from flows.engine.claims import Claim, HeadRun
from flows.engine.interpreter import Interpreter, Request, StepRecord
from flows.engine.knowledge import knowledge
from flows.graph import Graph
from flows.nodes import AskModel, Notify, RaiseAlert, RobotFacts, SendCommands, WaitFor, WaitUntil
from worktool_ai.lib.clock import now
from worktool_ai.lib.ids import uuid7

__all__ = ["DryRun", "dry_run"]


@dataclass(slots=True)
class DryRun:
    """What a run would have done."""

    context: StandardContext
    steps: list[StepRecord]
    commands: list[SendCommands] = field(default_factory=list)
    alerts: list[RaiseAlert] = field(default_factory=list)
    notifications: list[Notify] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return any(step.stops for step in self.steps)


def dry_run(graph: Graph, start: StandardContext, robot: RobotFacts) -> DryRun:
    """Walk a line through a graph; commands count as done, waits as over."""
    interpreter = Interpreter(graph, start, robot=robot, knowledge=knowledge)
    result = DryRun(start, interpreter.steps)
    while requests := interpreter.advance(now()):
        for request in requests:
            interpreter.deliver(request.key, _pretend(request, start, result), now())
    result.context = interpreter.context
    return result


def _pretend(request: Request, start: StandardContext, result: DryRun) -> Mapping[str, Any]:
    effect = request.effect
    if isinstance(effect, AskModel):
        return performers.ask_model(effect, _head(start), request.key.node_id).outcome
    if isinstance(effect, SendCommands):
        result.commands.append(effect)
        return {"sendIds": [str(uuid7()) for _ in effect.commands], "state": "queued"}
    if isinstance(effect, RaiseAlert):
        result.alerts.append(effect)
        return {"alertId": str(uuid7()), "level": effect.level, "count": 1, "isNew": True}
    if isinstance(effect, Notify):
        result.notifications.append(effect)
        return {"deliveries": [str(uuid7())]}
    if isinstance(effect, WaitUntil):
        return effect.to_json()
    if isinstance(effect, WaitFor):
        return {"state": "done", "error": "", "timedOut": False}
    return {}


def _head(start: StandardContext) -> HeadRun:
    nobody = UUID(int=0)
    return HeadRun(
        claim=Claim(nobody, 0),
        run_id=nobody,
        message_id=UUID(start.message_id),
        version_id=nobody,
        input={},
        recoveries=0,
        started_at=None,
        robot_id=nobody,
        room_id=nobody,
        owner="robot",
        owner_epoch=0,
        received_at=None,
        steps=(),
        outcomes={},
        intents={},
        history=(),
        private_address=None,
    )
