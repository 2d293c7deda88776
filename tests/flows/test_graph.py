"""What cannot be published, and what the refusal says."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.translation import override

from flows import nodes
from flows.graph import GraphError, compile_graph, validate
from flows.seeds import standard_graph


@pytest.fixture(autouse=True)
def _registered():
    nodes.registry.discover()
    with override("en"):
        yield


def chain(*types: str) -> dict[str, Any]:
    return {
        "nodes": [{"id": f"n{i}", "type": kind} for i, kind in enumerate(types)],
        "edges": [{"id": f"e{i}", "source": f"n{i}", "target": f"n{i + 1}"} for i in range(len(types) - 1)],
    }


def problems(document: dict[str, Any]) -> str:
    return "\n".join(map(str, validate(document)))


def test_the_seeded_graph_is_valid_and_has_eleven_node_types():
    assert validate(standard_graph()) == []
    assert {node["type"] for node in standard_graph()["nodes"]} == {plugin.key for plugin in nodes.registry}
    assert len(list(nodes.registry)) == 11


def test_the_order_is_topological():
    graph = compile_graph(standard_graph())
    position = {node_id: index for index, node_id in enumerate(graph.nodes)}
    assert graph.entry.id == "receive"
    assert all(position[e.source] < position[e.target] for node in graph.nodes.values() for e in node.outgoing)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda g: g["nodes"][0].update(type="nonsense"), "no node type “nonsense”"),
        (lambda g: g["nodes"][1].update(id="n0"), "used twice"),
        (lambda g: g["nodes"][0].update(config={"colour": "red"}), "node n0"),
        (lambda g: g["edges"][0].update(target="nowhere"), "leads to “nowhere”, which is no node"),
        (lambda g: g["edges"][0].update(port="sideways"), "has no way out “sideways”"),
        (lambda g: g["edges"][0].update(condition="intent ="), "cannot be used"),
        (lambda g: g["edges"].append({"id": "back", "source": "n2", "port": "next", "target": "n1"}), "circle"),
        (lambda g: g["edges"].pop(0), "no way in"),
        (lambda g: g["nodes"][1].update(default={"user_name": "x"}), "“user_name”"),
        (lambda g: g.update(nodes=[]), "no nodes"),
        (lambda g: g.update(surprise=1), "surprise"),
    ],
)
def test_a_broken_graph_is_refused_naming_the_place(change, said):
    document = chain("intent", "message_dispatch", "command_status", "end")
    assert validate(document) == []
    change(document)
    assert said in problems(document)
    with pytest.raises(GraphError, match=r"."):
        compile_graph(document)


def test_a_way_out_that_leads_nowhere_is_refused():
    document = chain("message_receive", "end")
    assert "way out “silent” leads nowhere" in problems(document)


def test_two_nodes_of_a_kind_side_by_side_are_refused_but_not_on_different_ways():
    side_by_side = {
        "nodes": [{"id": i, "type": t} for i, t in [("a", "intent"), ("b", "ai_reply"), ("c", "ai_reply")]],
        "edges": [
            {"id": "e1", "source": "a", "target": "b"},
            {"id": "e2", "source": "a", "target": "c"},
        ],
    }
    assert "side by side" in problems(side_by_side)
    assert "side by side" not in problems(standard_graph())


def test_a_broken_rule_of_a_decision_is_refused():
    document = chain("intent", "decision", "end")
    document["nodes"][1]["config"] = {"rules": [{"port": "a", "condition": "intent == 3"}], "default_port": "next"}
    document["edges"].append({"id": "x", "source": "n1", "port": "a", "target": "n2"})
    assert "node n1 rules.0.condition: " in problems(document)


def test_operators_read_what_is_wrong_in_their_language():
    with override("zh-hans"):
        assert "节点 n0: 出口“silent”没有去向。 请把它连到一个节点。" in problems(chain("message_receive", "end"))
