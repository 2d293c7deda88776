"""The edge rule, effects and their replay: what the interpreter decides, without doing anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from flows import nodes
from flows.engine.interpreter import EffectKey, Interpreter
from flows.graph import compile_graph
from flows.nodes import AskModel, Effect, Knowledge, Next, Node, NodeContext, NodeError, RobotFacts
from tests.flows.builders import NOW, context
from worktool_ai.lib.config import PluginConfig


class Probe(Node):
    """Leaves by the configured port and notes that it ran; can fail, or ask a model first."""

    key: ClassVar[str] = "probe"
    label: ClassVar[str] = "probe"
    ports: ClassVar[tuple[str, ...]] = ("next", "other", "error")

    class Config(PluginConfig):
        port: str = "next"
        note: str = ""
        fails: bool = False
        asks: int = 0

    def run(self, ctx: NodeContext) -> Next | Effect:
        if self.config.asks:
            return AskModel(task="reply", text="1")
        return self._leave(ctx, [])

    def resume(self, ctx: NodeContext, effect: Effect, outcome: Mapping[str, Any]) -> Next | Effect:
        assert isinstance(effect, AskModel)
        asked = int(effect.text)
        if asked < self.config.asks:
            return AskModel(task="reply", text=str(asked + 1))
        return self._leave(ctx, [outcome["text"]])

    def _leave(self, ctx: NodeContext, heard: list[str]) -> Next:
        if self.config.fails:
            raise NodeError("as configured")
        return Next(port=self.config.port, patch={"variables": {ctx.data.current_node_id: heard or True}})


@pytest.fixture(autouse=True)
def probe():
    with nodes.registry.temporarily(Probe):
        yield


def walk(document: Mapping[str, Any], **stored: Any) -> Interpreter:
    robot = RobotFacts(mode="automatic", line_fresh_s=300, reply_fresh_s=180, owner="robot")
    return Interpreter(compile_graph(document), context(), robot=robot, knowledge=Knowledge(lambda _: []), **stored)


def probes(configs: Mapping[str, Mapping[str, Any]], *edges: str) -> dict[str, Any]:
    """``probes({"a": {}}, "a>b", "a.other>c")``; ways out that lead nowhere go to a node "rest"."""
    links = []
    for number, edge in enumerate(edges):
        source, target = edge.split(">")
        source, _, port = source.partition(".")
        links.append({"id": f"e{number}", "source": source, "port": port or "next", "target": target})
    return {
        "nodes": [{"id": name, "type": "probe", **_spec(config)} for name, config in configs.items()],
        "edges": links,
    }


def _spec(config: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: config[name] for name in ("on_error", "default") if name in config}
    return {"config": {name: value for name, value in config.items() if name not in own}, **own}


@pytest.fixture(autouse=True)
def _only_the_edge_rule(monkeypatch):
    """These graphs are about edges: a probe's unused ways out need not lead anywhere."""
    monkeypatch.setattr("flows.graph_shape._check_ways_out", lambda spec, edges: [])
    monkeypatch.setattr("flows.graph_shape._check_parallel_writers", lambda spec, edges: [])


def ran(interpreter: Interpreter) -> list[str]:
    return [step.node_id for step in interpreter.steps]


def test_only_the_way_of_the_taken_port_runs_and_the_join_runs_once():
    interpreter = walk(probes({"a": {"port": "other"}, "b": {}, "c": {}, "d": {}}, "a>b", "a.other>c", "b>d", "c>d"))
    assert interpreter.advance(NOW) == []
    assert ran(interpreter) == ["a", "c", "d"]
    assert interpreter.edges == {"e0": "skipped", "e1": "taken", "e2": "skipped", "e3": "taken"}
    assert interpreter.finished


def test_a_fork_runs_both_ways_and_the_join_waits_for_both():
    interpreter = walk(probes({"a": {}, "b": {"asks": 1}, "c": {}, "d": {}}, "a>b", "a>c", "b>d", "c>d"))
    (request,) = interpreter.advance(NOW)
    assert request.key == EffectKey("b", 0)
    assert ran(interpreter) == ["a", "c"], "the join must not run before both ways are decided"
    interpreter.deliver(request.key, {"text": "x"}, NOW)
    assert interpreter.advance(NOW) == []
    assert ran(interpreter) == ["a", "c", "b", "d"]


def test_a_stored_outcome_is_replayed_and_never_asked_for_again():
    document = probes({"a": {"asks": 2}})
    stored = {EffectKey("a", 0): {"text": "first"}}
    interpreter = walk(document, outcomes=stored)
    (request,) = interpreter.advance(NOW)
    assert request.key == EffectKey("a", 1), "the first answer was stored"
    interpreter.deliver(request.key, {"text": "second"}, NOW)
    assert interpreter.advance(NOW) == []
    assert interpreter.context.variables == {"a": ["second"]}


def test_an_interrupted_walk_goes_on_where_its_steps_end():
    document = probes({"a": {"port": "other"}, "b": {}, "c": {"asks": 1}, "d": {}}, "a>b", "a.other>c", "b>d", "c>d")
    first = walk(document)
    first.advance(NOW)
    again = walk(document, steps=first.steps)
    (request,) = again.advance(NOW + timedelta(seconds=9))
    assert request.key == EffectKey("c", 0)
    again.deliver(request.key, {"text": "x"}, NOW)
    again.advance(NOW)
    assert ran(again) == ["a", "c", "d"]
    assert again.context.variables == {"a": True, "c": ["x"], "d": True}


def test_a_failure_leaves_by_the_error_port_where_it_is_connected():
    interpreter = walk(probes({"a": {"fails": True}, "b": {}, "c": {}}, "a>b", "a.error>c"))
    interpreter.advance(NOW)
    assert ran(interpreter) == ["a", "c"]
    assert interpreter.failure is None
    assert interpreter.steps[0].error == "as configured"


def test_a_failure_without_an_answer_stops_the_run_and_lets_siblings_finish():
    interpreter = walk(probes({"a": {}, "b": {"fails": True}, "c": {}, "d": {}}, "a>b", "a>c", "b>d"))
    interpreter.advance(NOW)
    assert ran(interpreter) == ["a", "b", "c"]
    assert interpreter.failure is not None
    assert interpreter.failure.node_id == "b"
    assert interpreter.finished


def test_a_default_value_counts_as_success_and_is_marked():
    interpreter = walk(
        probes({"a": {"fails": True, "on_error": "default", "default": {"intent": "chat"}}, "b": {}}, "a>b")
    )
    interpreter.advance(NOW)
    assert ran(interpreter) == ["a", "b"]
    assert interpreter.context.intent == "chat"
    assert interpreter.steps[0].detail == {"default": True}
    assert interpreter.failure is None


def test_a_condition_on_an_edge_decides_it():
    document = probes({"a": {}, "b": {}, "c": {}}, "a>b", "a>c")
    document["edges"][0]["condition"] = "userName == '张三'"
    document["edges"][1]["condition"] = "userName == '李四'"
    interpreter = walk(document)
    interpreter.advance(NOW)
    assert ran(interpreter) == ["a", "b"]


def test_no_node_may_change_what_the_platform_said():
    class Forger(Node):
        """Tries to change who spoke."""

        key: ClassVar[str] = "forger"
        label: ClassVar[str] = "forger"

        def run(self, ctx: NodeContext) -> Next:
            return Next(patch={"user_name": "老板"})

    with nodes.registry.temporarily(Forger):
        interpreter = walk({"nodes": [{"id": "a", "type": "forger"}], "edges": []})
        interpreter.advance(NOW)
    assert interpreter.failure is not None
    assert "user_name" in interpreter.failure.error
    assert interpreter.context.user_name == "张三"


def test_a_node_sees_where_it_stands():
    seen: list[tuple[str, tuple[str, ...]]] = []

    class Looker(Node):
        """Notes the derived fields."""

        key: ClassVar[str] = "looker"
        label: ClassVar[str] = "looker"

        def run(self, ctx: NodeContext) -> Next:
            seen.append((ctx.data.current_node_id, ctx.data.execution_path))
            return Next()

    with nodes.registry.temporarily(Looker):
        walk(
            {
                "nodes": [{"id": "a", "type": "looker"}, {"id": "b", "type": "looker"}],
                "edges": [{"id": "e", "source": "a", "target": "b"}],
            }
        ).advance(NOW)
    assert seen == [("a", ()), ("b", ("a",))]
