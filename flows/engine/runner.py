"""Walking a claimed conversation: one run after the other, each until it ends, settles or parks.

A walk keeps its rows in a :class:`~flows.engine.store.Progress` and commits

* before what cannot be repeated (an HTTP call) and after every outcome that cost something (a model's answer),
* with a database effect (an alert), so that it happens exactly when its outcome is stored,
* at the end.

A node that is to be tried again soon is waited for with the lease kept; a longer wait parks the run as a row.

Pure nodes and the local model are folded into the next of these commits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError
from pydantic import ValidationError

from flows.context import StandardContext, to_api
from flows.engine import interruptions, performers, store
from flows.engine.claims import Claim, HeadRun, head_runs
from flows.engine.group_writer import writer
from flows.engine.interpreter import EffectKey, Interpreter, Request
from flows.engine.knowledge import graph_of, knowledge, robot_facts, robot_of
from flows.engine.performers import Performed
from flows.engine.store import EffectRow, Progress, WaitRow
from flows.graph import GraphError
from flows.nodes import AskModel, HttpCall, Notify, RaiseAlert, SendCommands, WaitFor, WaitUntil
from flows.nodes._effects import RetryAt
from robots.caches import RobotSnapshot
from robots.hotpath import Settlement
from worktool_ai.events.types import Event
from worktool_ai.lib.clock import now
from worktool_ai.lib.concurrency import run_all

__all__ = ["LostLease", "advance_conversation", "close"]

log = structlog.get_logger(__name__)


#: So long a repetition is waited for in its greenlet; a longer pause leaves the worker.
SHORT_WAIT = timedelta(seconds=5)


class LostLease(Exception):
    """Somebody else has claimed the conversation since: stop, write nothing, say nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How advancing a conversation ended, for the task's log line."""

    runs: int
    commands: int


def advance_conversation(head: HeadRun) -> Outcome:
    """Advance a conversation until it has no run that wants a worker. Raises nothing on a lost lease.

    A walk that breaks off gives its conversation back (:mod:`flows.engine.interruptions`).
    """
    runs = commands = 0
    current: HeadRun | None = head
    while current is not None:
        with structlog.contextvars.bound_contextvars(runId=str(current.run_id), messageId=str(current.message_id)):
            try:
                queued, sent = _walk(current)
            except LostLease:
                log.info("engine.lease_lost")
                break
            except Exception as error:
                interruptions.set_aside(current, error)
                break
        runs, commands = runs + 1, commands + sent
        current = _next(current.claim) if queued else None
    return Outcome(runs, commands)


def _walk(head: HeadRun) -> tuple[int, int]:
    """Walk one run; returns how many runs of the conversation are queued behind it, and how many commands it sent."""
    if interruptions.is_poisonous(head):
        return _held(interruptions.pause(head)), 0
    try:
        walk = Walk(head)
    except (GraphError, ValidationError) as error:
        return _held(interruptions.fail(head, error)), 0
    return walk.go(), walk.sent


def close(head: HeadRun) -> Progress | None:
    """Walk a run that comes back with what it waited for to its end; return its rows, which nobody has written.

    None where that is not all: it wants something done, waits again, or its walk breaks off (and will again, where
    that is told).
    """
    if not head.steps or interruptions.is_poisonous(head):
        return None
    try:
        walk = Walk(head)
        return None if walk.interpreter.advance(now()) else walk.finish([])
    except DatabaseError:
        raise
    except Exception as error:
        log.info("engine.not_closed", runId=str(head.run_id), error=type(error).__name__)
        return None


def _held(queued: int | None) -> int:
    if queued is None:
        raise LostLease
    return queued


def _next(claim: Claim) -> HeadRun | None:
    found = head_runs([claim])
    return found[0] if found else None


class Walk:
    """One run's walk in this process."""

    def __init__(self, head: HeadRun) -> None:
        self.head = head
        self.robot: RobotSnapshot = robot_of(head.robot_id)
        self.sent = 0
        self.interpreter = Interpreter(
            graph_of(head.version_id),
            StandardContext.model_validate(head.input),
            robot=robot_facts(self.robot, head.owner, head.private_address),
            knowledge=knowledge,
            history=head.history,
            steps=head.steps,
            outcomes=head.outcomes,
            retries=head.retries,
        )
        self._stored_steps = len(head.steps)
        self._ids = {"messageId": str(head.message_id), "runId": str(head.run_id)}
        self.progress = self._fresh()

    def go(self) -> int:
        """Walk until the run leaves the worker; return how many runs of the conversation are still queued."""
        while True:
            requests = self.interpreter.advance(now())
            waits = [request for request in requests if isinstance(request.effect, WaitFor | WaitUntil)]
            work = [request for request in requests if request not in waits]
            if work:
                self._perform(work)
            elif not self._wait_shortly(waits):
                return self._leave(waits)

    def _wait_shortly(self, waits: Sequence[Request]) -> bool:
        """Wait for the next repetition if it comes soon. It is on record before: a crash does not wait again."""
        soon = [(request.effect.at, request) for request in waits if isinstance(request.effect, RetryAt)]
        at, request = min(soon, key=lambda found: found[0], default=(None, None))
        if at is None or request is None or at > now() + SHORT_WAIT:
            return False
        self.progress.effects.append(self._effect_row(request, request.effect.to_json()))
        self._commit()
        time.sleep(max(0.0, (at - now()).total_seconds()))
        self.interpreter.deliver(request.key, request.effect.to_json(), now())
        return True

    # -- effects -------------------------------------------------------------------------------------------------------

    def _perform(self, requests: list[Request]) -> None:
        """Perform what is needed now: waits for models together, the rest one by one in the graph's order."""
        models = [request for request in requests if isinstance(request.effect, AskModel)]
        for request in requests:
            if request not in models:
                self._perform_one(request)
        if models:
            self._ask_models(models)

    def _perform_one(self, request: Request) -> None:
        effect = request.effect
        if isinstance(effect, SendCommands):
            self._take(request, performers.queue_commands(effect, self.head, self.robot, request.key.node_id))
        elif isinstance(effect, RaiseAlert):
            self._in_transaction(request, partial(performers.raise_alert, effect, self.head))
        elif isinstance(effect, Notify):
            self._in_transaction(request, partial(performers.notify, effect))
        elif isinstance(effect, HttpCall):
            self._call_http(request, effect)

    def _ask_models(self, requests: list[Request]) -> None:
        answers: dict[EffectKey, Performed] = {}

        def ask(request: Request) -> None:
            assert isinstance(request.effect, AskModel)
            answers[request.key] = performers.ask_model(request.effect, self.head, request.key.node_id)

        run_all([partial(ask, request) for request in requests])
        for request in requests:
            self._take(request, answers[request.key])

    def _call_http(self, request: Request, effect: HttpCall) -> None:
        if request.key in self.head.intents:
            # it may have been made before a crash: nobody can say, so it is not made again
            unknown = {"ok": False, "error": "unknown: interrupted during the call", "unknown": True}
            self._take(request, Performed(unknown, is_costly=True))
            return
        self.progress.effects.append(self._effect_row(request, None))
        self._commit()
        self._take(request, performers.call_http(effect))

    def _take(self, request: Request, performed: Performed) -> None:
        """Hand an outcome to the interpreter; store it at once where it cost something."""
        self.progress.ai_calls.extend(performed.calls)
        self.progress.commands.extend(performed.commands)
        self.sent += len(performed.commands)
        if performed.is_costly or performed.commands:
            self.progress.effects.append(self._effect_row(request, performed.outcome))
        if performed.is_costly:
            self._commit()
        self.interpreter.deliver(request.key, performed.outcome, now())

    def _in_transaction(self, request: Request, perform: Callable[[], dict[str, Any]]) -> None:
        outcomes: list[dict[str, Any]] = []

        def do() -> list[EffectRow]:
            outcomes.append(perform())
            return [self._effect_row(request, outcomes[0])]

        self._collect()
        _held(store.write_with(self.progress, do))
        self.progress = self._fresh()
        self.interpreter.deliver(request.key, outcomes[0], now())

    def _effect_row(self, request: Request, outcome: dict[str, Any] | None) -> EffectRow:
        return EffectRow(request.key, request.effect.kind, request.effect.to_json(), outcome, now())

    # -- commits -------------------------------------------------------------------------------------------------------

    def _fresh(self) -> Progress:
        return Progress(claim=self.head.claim, run_id=self.head.run_id)

    def _collect(self) -> None:
        """Move what the interpreter has done since the last commit into the progress."""
        fresh = self.interpreter.steps[self._stored_steps :]
        self._stored_steps = len(self.interpreter.steps)
        self.progress.steps.extend(fresh)
        self.progress.edges = self.interpreter.edges
        for step in fresh:
            self.progress.events.append(self._node_executed(step))
            self.progress.events.extend(self._event(kind, data, step.ended_at) for kind, data in step.events)

    def _commit(self) -> int:
        self._collect()
        queued = writer.commit(self.progress)
        if queued is None:
            raise LostLease
        self.progress = self._fresh()
        return queued

    def _leave(self, waits: list[Request]) -> int:
        self.finish(waits)
        return self._commit()

    def finish(self, waits: list[Request]) -> Progress:
        """End the run, or let it settle or park, and settle the customer's line with what is known now."""
        context, failure = self.interpreter.context, self.interpreter.failure
        progress = self.progress
        for request in waits:
            progress.effects.append(self._effect_row(request, None))
            progress.waits.append(_wait_row(request))
        if waits:
            progress.state = "settling" if all(isinstance(r.effect, WaitFor) for r in waits) else "parked"
        else:
            progress.state = "failed" if failure else "done"
            progress.ended_at = now()
            progress.error = failure.error if failure else ""
        progress.withdraws = failure is not None
        progress.reason = "flow_failed" if failure else context.reason or ("" if waits else "flow_silent")
        progress.outcome = context.outcome or ""
        if progress.reason:
            progress.settlement = self._settlement(progress.reason)
        self._collect()
        return progress

    def _settlement(self, reason: str) -> Settlement:
        context = self.interpreter.context
        return Settlement(
            message_id=self.head.message_id,
            reason=reason,
            run_id=self.head.run_id,
            intent=context.intent or "",
            intent_confidence=context.intent_confidence,
            topic=context.topic or "",
            picture_text=context.picture_text,
        )

    # -- events --------------------------------------------------------------------------------------------------------

    def _event(self, kind: str, data: Any, at: datetime) -> Event:
        return {
            "type": kind,  # type: ignore[typeddict-item]  # nodes name one of the seed's events; the contract suite checks
            "at": at.isoformat(),
            "robot": self.robot.slug,
            "group": self.robot.group,
            "messageId": self._ids["messageId"],
            "runId": self._ids["runId"],
            "data": {**self._ids, **data},
        }

    def _node_executed(self, step: Any) -> Event:
        duration = (step.ended_at - step.started_at).total_seconds() * 1000
        data = {
            "nodeId": step.node_id,
            "nodeType": step.node_type,
            "nodeName": self.interpreter.graph.nodes[step.node_id].name,
            "status": "failed" if step.error else "completed",
            "duration": round(duration),
            "output": to_api(step.patch),
        }
        return self._event("node_executed", data, step.ended_at)


def _wait_row(request: Request) -> WaitRow:
    effect = request.effect
    if isinstance(effect, WaitFor):
        return WaitRow(request.key, UUID(effect.command_id), effect.until)
    assert isinstance(effect, WaitUntil)
    return WaitRow(request.key, None, effect.at)
