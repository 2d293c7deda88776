"""The standard graph without one type of node: the ways that led into it lead to where it would have gone on."""

from __future__ import annotations

from typing import Any

__all__ = ["without"]

Edge = dict[str, str]
Graph = dict[str, Any]

#: The way by which a node goes on when it has nothing special to say.
MAIN_PORTS = {"decision": "standard"}
#: What comes last where nothing comes after the removed node.
LAST = "status"


def without(graph: Graph, node_type: str) -> Graph:
    """Return the graph without the nodes of a type, and without those that nothing leads to any more."""
    gone = [node["id"] for node in graph["nodes"] if node["type"] == node_type]
    assert gone, f"no {node_type} in this graph"
    edges: list[Edge] = graph["edges"]
    for node_id in gone:
        edges = _bridged(edges, node_id, MAIN_PORTS.get(node_type, "next"))
    nodes = [node for node in graph["nodes"] if node["id"] not in gone]
    reached = _reached(nodes[0]["id"], edges)
    return {
        "nodes": [node for node in nodes if node["id"] in reached],
        "edges": [edge for edge in edges if edge["source"] in reached],
    }


def _bridged(edges: list[Edge], node_id: str, port: str) -> list[Edge]:
    onward = [edge for edge in edges if edge["source"] == node_id and edge["port"] == port]
    onward = onward or [{"id": "last", "target": LAST}]
    return [
        bridge
        for edge in edges
        if edge["source"] != node_id
        for bridge in ([_bridge(edge, after) for after in onward] if edge["target"] == node_id else [edge])
        if bridge["source"] != bridge["target"]
    ]


def _bridge(edge: Edge, after: Edge) -> Edge:
    condition = edge.get("condition") or after.get("condition") or ""
    return {**edge, "id": f"{edge['id']}-{after['id']}", "target": after["target"], "condition": condition}


def _reached(entry: str, edges: list[Edge]) -> set[str]:
    reached, waiting = {entry}, [entry]
    while waiting:
        source = waiting.pop()
        found = {edge["target"] for edge in edges if edge["source"] == source} - reached
        reached |= found
        waiting += found
    return reached
