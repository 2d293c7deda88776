"""Random graphs, policies, outcomes, orders and crashes: what holds for every one of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import nodes
from tests.flows.properties.world import Scripted, World

#: The same examples each time, bounded: a failure is a change of ours, not of the dice.
bounded = settings(max_examples=150, derandomize=True, deadline=None, database=None)

PORTS = st.sampled_from(["next", "next", "other", "error"])
REPEATABLE = ["model", "model", "wait", "result", "send", "alert"]


@pytest.fixture(autouse=True, scope="module")
def scripted() -> Iterator[None]:
    with nodes.registry.temporarily(Scripted):
        yield


@st.composite
def graphs(draw: st.DrawFn, asks: list[str]) -> dict[str, Any]:
    """A DAG of up to seven nodes: forks, joins, decisions, error ways and policies."""
    size = draw(st.integers(2, 7))
    found, edges = [], []
    for number in range(size):
        found.append(
            {
                "id": f"n{number}",
                "type": "scripted",
                "config": {"asks": draw(st.lists(st.sampled_from(asks), max_size=3))},
                "on_error": draw(st.sampled_from(["stop", "default", "port"])),
                "retries": draw(st.integers(0, 3)),
                "retry_wait_s": draw(st.sampled_from([0, 1, 60])),
            }
        )
        if number:
            sources = draw(st.lists(st.integers(0, number - 1), min_size=1, max_size=3, unique=True))
            edges += [(source, draw(PORTS), number) for source in sources]
    return {
        "nodes": found,
        "edges": [
            {"id": f"e{place}", "source": f"n{source}", "port": port, "target": f"n{target}"}
            for place, (source, port, target) in enumerate(edges)
        ],
    }


ANSWERS = st.fixed_dictionaries(
    {
        "bad": st.sampled_from([False, False, True]),
        "port": st.sampled_from(["next", "other"]),
        "costly": st.booleans(),
    }
)
OUTCOMES = st.fixed_dictionaries({f"n{number}": st.lists(ANSWERS, min_size=1, max_size=4) for number in range(7)})
CRASHES = st.dictionaries(st.integers(1, 20), st.booleans(), max_size=6)
ORDER = st.lists(st.integers(0, 6), max_size=12)


def holds_at_the_end(world: World) -> None:
    graph = world.graph
    ways = {edge.id: edge for node in graph.nodes.values() for edge in node.outgoing}
    assert world.edges.keys() == ways.keys(), "every edge is decided"
    assert set(world.edges.values()) <= {"taken", "skipped"}
    for node in graph.nodes.values():
        reached = not node.incoming or any(world.edges[edge.id] == "taken" for edge in node.incoming)
        assert (node.id in world.steps) == reached, "what is reached ran once, what is not never did"
    for step in world.steps.values():
        taken = {edge.id for edge in graph.nodes[step.node_id].outgoing if world.edges[edge.id] == "taken"}
        assert all(ways[edge].port == step.port for edge in taken)
    assert world.state == ("failed" if any(step.stops for step in world.steps.values()) else "done")
    assert not [key for key in world.alerts if world.alerts[key] != 1]


@bounded
@given(graphs(REPEATABLE), OUTCOMES, CRASHES, ORDER)
def test_where_a_walk_is_killed_changes_nothing(document, answers, crashes, order):
    smooth, killed = World(document, answers), World(document, answers, crashes, list(order))
    for world in (smooth, killed):
        world.finish()
        holds_at_the_end(world)
    assert killed.result() == smooth.result()


@bounded
@given(graphs([*REPEATABLE, "post", "post"]), OUTCOMES, CRASHES, ORDER)
def test_a_call_that_may_have_been_made_is_not_made_again(document, answers, crashes, order):
    world = World(document, answers, crashes, list(order))
    world.finish()
    holds_at_the_end(world)
    calls = {key for key, (kind, _intent) in world.intents.items() if kind == "http_call"}
    assert all(world.called[key] <= 1 for key in calls)


@bounded
@given(graphs(REPEATABLE), OUTCOMES, ORDER)
def test_the_order_in_which_waits_end_changes_nothing(document, answers, order):
    first, other = World(document, answers), World(document, answers, order=list(order))
    for world in (first, other):
        world.finish()
    assert first.result() == other.result()


@bounded
@given(graphs(["model"]), OUTCOMES)
def test_a_node_is_tried_as_often_as_its_policy_says(document, answers):
    Scripted.tried.clear()
    world = World(document, answers)
    for node in document["nodes"]:
        node["retry_wait_s"] = 0
    world.finish()
    retries = {node["id"]: node["retries"] for node in document["nodes"]}
    for name, step in world.steps.items():
        assert Scripted.tried[name] == step.detail.get("attempts", 1) <= retries[name] + 1
        assert not step.error or Scripted.tried[name] == retries[name] + 1, "given up only after the last attempt"
