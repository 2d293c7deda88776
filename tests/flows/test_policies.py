"""How often a node is tried, how long, and what is never tried again. Pure: no database, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.utils.translation import override

from flows import nodes
from flows.engine.interpreter import EffectKey, Interpreter, Request
from flows.graph import compile_graph, compile_published, validate
from flows.nodes import (
    AskModel,
    CommandDraft,
    Effect,
    HttpCall,
    Knowledge,
    Next,
    Node,
    NodeContext,
    NodeError,
    RobotFacts,
    SendCommands,
)
from flows.nodes._effects import RetryAt
from flows.policies import Policy
from tests.flows.builders import NOW, context
from worktool_ai.lib.config import PluginConfig

pytestmark = pytest.mark.usefixtures("asker")


class Asker(Node):
    """Asks for one effect after the other; an outcome that says "no" is an error."""

    key: ClassVar[str] = "asker"
    label: ClassVar[str] = "asker"
    ports: ClassVar[tuple[str, ...]] = ("next", "error")

    class Config(PluginConfig):
        asks: tuple[str, ...] = ("model",)
        method: str = "GET"

    def _effect(self, position: int) -> Effect:
        kind = self.config.asks[position]
        if kind == "send":
            return SendCommands(commands=(CommandDraft(target="客服群", text="好"),))
        if kind == "http":
            return HttpCall(method=self.config.method, url="https://example.org")
        return AskModel(task="reply", text=str(position))

    def run(self, ctx: NodeContext) -> Next | Effect:
        if not self.config.asks:
            raise NodeError("nothing to ask")
        return self._effect(0)

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next | Effect:
        if outcome.get("no"):
            raise NodeError(str(outcome["no"]))
        position = int(effect.text) + 1 if isinstance(effect, AskModel) else 1
        if position < len(self.config.asks):
            return self._effect(position)
        return Next(patch={"ai_response": outcome.get("text", "")})


@pytest.fixture
def asker():
    with nodes.registry.temporarily(Asker):
        yield


def document(**node: Any) -> dict[str, Any]:
    return {
        "nodes": [{"id": "a", "type": "asker", **node}, {"id": "b", "type": "end"}, {"id": "c", "type": "end"}],
        "edges": [
            {"id": "ok", "source": "a", "target": "b"},
            {"id": "bad", "source": "a", "port": "error", "target": "c"},
        ],
    }


def walk(stored: Mapping[str, Any] | None = None, **node: Any) -> Interpreter:
    facts = RobotFacts(mode="automatic", line_fresh_s=300, reply_fresh_s=180, owner="robot")
    graph = compile_graph(document(**node))
    return Interpreter(graph, context(), robot=facts, knowledge=Knowledge(lambda _: []), **(stored or {}))


def the(requests: list[Request]) -> Request:
    (request,) = requests
    return request


def test_a_failed_attempt_is_repeated_and_the_edges_are_decided_after_the_last():
    interpreter = walk(retries=2, retry_wait_s=4)
    now, pauses, asked = NOW, [], 0
    while requests := interpreter.advance(now):
        request = the(requests)
        if isinstance(request.effect, RetryAt):
            assert not interpreter.edges, "undecided while there is an attempt left"
            pauses.append((request.effect.at - now).total_seconds())
            now = request.effect.at
            interpreter.deliver(request.key, request.effect.to_json(), now)
        else:
            asked += 1
            interpreter.deliver(request.key, {"no": f"attempt {asked}"}, now)
    assert asked == 3
    assert 2 <= pauses[0] <= 4 <= pauses[1] <= 8, "twice the pause each time, shortened by up to half"
    step = interpreter.steps[0]
    assert (step.port, step.error) == ("error", "attempt 3")
    assert step.detail == {"attempts": 3, "errors": ["attempt 1", "attempt 2", "attempt 3"]}
    assert interpreter.edges == {"ok": "skipped", "bad": "taken"}


def test_an_attempt_that_succeeds_tells_of_those_before_it():
    interpreter = walk(retries=5)
    interpreter.deliver(the(interpreter.advance(NOW)).key, {"no": "busy"}, NOW)
    pause = the(interpreter.advance(NOW))
    interpreter.deliver(pause.key, pause.effect.to_json(), NOW)
    again = the(interpreter.advance(NOW))
    assert again.key == EffectKey("a", 2)
    interpreter.deliver(again.key, {"text": "好的"}, NOW)
    interpreter.advance(NOW)
    step = interpreter.steps[0]
    assert (step.port, step.error, interpreter.failure) == ("next", "", None)
    assert step.detail == {"attempts": 2, "errors": ["busy"]}
    assert interpreter.context.ai_response == "好的"


def test_the_pause_is_the_same_whoever_computes_it_and_differs_between_lines():
    policy = Policy(retries=3, retry_wait_s=60)
    assert policy.next_attempt(1, NOW, NOW, "m-1:a") == policy.next_attempt(1, NOW, NOW, "m-1:a")
    assert len({policy.next_attempt(1, NOW, NOW, f"m-{number}:a") for number in range(20)}) == 20


def test_a_walk_that_was_interrupted_goes_on_with_the_next_attempt():
    retry = RetryAt(at=NOW, attempt=2, started_at=NOW - timedelta(seconds=9), errors=("one", "two"))
    interpreter = walk({"outcomes": {EffectKey("a", 3): retry.to_json()}}, retries=2)
    request = the(interpreter.advance(NOW))
    assert request.key == EffectKey("a", 4), "no earlier attempt is walked again"
    interpreter.deliver(request.key, {"no": "three"}, NOW)
    interpreter.advance(NOW)
    step = interpreter.steps[0]
    assert step.detail == {"attempts": 3, "errors": ["one", "two", "three"]}
    assert step.started_at == retry.started_at


def test_a_pause_that_is_not_over_is_waited_for_and_not_begun_anew():
    retry = RetryAt(at=NOW + timedelta(minutes=3), attempt=1, started_at=NOW, errors=("one",))
    interpreter = walk({"retries": {EffectKey("a", 1): retry.to_json()}}, retries=2)
    request = the(interpreter.advance(NOW))
    assert request == Request(EffectKey("a", 1), retry)


def test_no_attempt_is_begun_after_the_deadline_of_the_node():
    interpreter = walk(retries=5, retry_wait_s=10, deadline_s=30)
    now, attempts = NOW, 0
    while requests := interpreter.advance(now):
        request = the(requests)
        if isinstance(request.effect, RetryAt):
            now = request.effect.at
            assert now < NOW + timedelta(seconds=30)
            interpreter.deliver(request.key, request.effect.to_json(), now)
        else:
            attempts += 1
            interpreter.deliver(request.key, {"no": "busy"}, now)
    assert 2 <= attempts <= 4, "5 to 10 s, 10 to 20 s, then 20 to 40 s is too late"
    assert interpreter.steps[0].port == "error"


def test_what_an_attempt_asks_for_may_take_no_longer_than_the_policy_says():
    assert walk(timeout_s=3).advance(NOW)[0].effect.timeout_s == 3
    assert walk(deadline_s=2.5).advance(NOW)[0].effect.timeout_s == 2.5
    assert walk(timeout_s=300).advance(NOW)[0].effect.timeout_s == 20, "the node's own limit is the shorter one"


@pytest.mark.parametrize(
    ("config", "outcomes", "repeated"),
    [
        pytest.param({"asks": ["send", "model"]}, [{"sendIds": ["s"]}, {"no": "x"}], False, id="commands were queued"),
        pytest.param({"asks": ["http"], "method": "POST"}, [{"no": "x", "unknown": True}], False, id="POST, unknown"),
        pytest.param({"asks": ["http"], "method": "POST"}, [{"no": "x", "unknown": False}], True, id="POST, not sent"),
        pytest.param({"asks": ["http"], "method": "GET"}, [{"no": "x", "unknown": True}], True, id="GET, unknown"),
        pytest.param({"asks": ["model", "model"]}, [{"text": "好"}, {"no": "x"}], True, id="a model's second answer"),
    ],
)
def test_what_was_or_may_have_been_done_outside_is_not_repeated(config, outcomes, repeated):
    interpreter = walk(retries=1, config=config)
    for outcome in outcomes:
        interpreter.deliver(the(interpreter.advance(NOW)).key, outcome, NOW)
    open_now = interpreter.advance(NOW)
    assert [isinstance(request.effect, RetryAt) for request in open_now] == ([True] if repeated else [])


def test_a_deadline_shorter_than_one_attempt_is_refused():
    with override("en"):
        problems = validate(document(timeout_s=30, deadline_s=10))
        assert [str(problem.place) for problem in problems] == ["node a"]
        assert "deadline" in problems[0].problem


@pytest.mark.parametrize(
    ("field", "value"), [("retries", 6), ("retries", -1), ("timeout_s", -1), ("retry_wait_s", 601)]
)
def test_a_policy_out_of_bounds_is_refused(field, value):
    assert any(field in problem.place for problem in validate(document(**{field: value})))


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"type": "gone_since"}, "'gone_since' has been removed"),
        ({"config": {"asks": ["model"], "unheard_of": 1}}, "cannot read the settings"),
    ],
    ids=["removed type", "unreadable settings"],
)
@pytest.mark.parametrize(
    ("on_error", "edges"),
    [
        ("port", {"ok": "skipped", "bad": "taken"}),
        ("default", {"ok": "taken", "bad": "skipped"}),
        ("stop", {"ok": "skipped", "bad": "skipped"}),
    ],
)
def test_a_node_that_cannot_be_built_any_more_fails_with_its_reason(node, said, on_error, edges):
    stored = document(on_error=on_error, **node)
    assert validate(stored), "nobody can publish it anew"
    facts = RobotFacts(mode="automatic", line_fresh_s=300, reply_fresh_s=180, owner="robot")
    graph = compile_published(stored)
    interpreter = Interpreter(graph, context(), robot=facts, knowledge=Knowledge(lambda _: []))
    assert interpreter.advance(NOW) == []
    assert said in interpreter.steps[0].error
    assert interpreter.edges == edges
    assert interpreter.finished
    assert (interpreter.failure is not None) == (on_error == "stop")


def test_side_by_side_nodes_see_nothing_of_each_other_and_merge_in_topological_order():
    seen: dict[str, str | None] = {}

    class Writer(Node):
        """Writes the answer and notes what it has found there."""

        key: ClassVar[str] = "writer"
        label: ClassVar[str] = "writer"

        def run(self, ctx: NodeContext) -> Effect:
            seen[ctx.data.current_node_id] = ctx.data.ai_response
            return AskModel(task="reply", text="0")

        def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next:
            return Next(patch={"ai_response": ctx.data.current_node_id})

    class OtherWriter(Writer):
        """The same, of another type."""

        key: ClassVar[str] = "other_writer"

    stored = {
        "nodes": [
            {"id": "fork", "type": "asker"},
            {"id": "left", "type": "writer"},
            {"id": "right", "type": "other_writer"},
            {"id": "join", "type": "writer"},
        ],
        "edges": [
            {"id": "fl", "source": "fork", "target": "left"},
            {"id": "fr", "source": "fork", "target": "right"},
            {"id": "lj", "source": "left", "target": "join"},
            {"id": "rj", "source": "right", "target": "join"},
        ],
    }
    with nodes.registry.temporarily(Writer), nodes.registry.temporarily(OtherWriter):
        facts = RobotFacts(mode="automatic", line_fresh_s=300, reply_fresh_s=180, owner="robot")
        interpreter = Interpreter(compile_graph(stored), context(), robot=facts, knowledge=Knowledge(lambda _: []))
        while requests := interpreter.advance(NOW):
            interpreter.deliver(requests[-1].key, {"text": "fork"}, NOW)  # the right one ends first
    assert [step.node_id for step in interpreter.steps] == ["fork", "right", "left", "join"]
    assert seen == {"left": "fork", "right": "fork", "join": "right"}
