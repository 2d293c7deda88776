"""What the pages show of a graph: its picture, its nodes with their ways out, what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse

from flows.drawing import Picture, draw, ports_of, type_label
from flows.graph import GraphError, GraphSpec, NodeSpec, Problem, read, validate

__all__ = ["GraphView", "NodeRow", "as_file", "view_of"]

#: Address of a node's page by its id; empty where there is none.
Address = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Way:
    """A way out: the condition on it, and where it leads."""

    port: str
    condition: str
    target: str


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node as a line of the table. ``open_ports`` lead nowhere."""

    id: str
    name: str
    type: str
    type_label: str
    url: str
    ways: list[Way]
    open_ports: list[str]


@dataclass(frozen=True, slots=True)
class GraphView:
    """A graph, ready for ``flows/graph.html``. ``urls`` are the addresses by node."""

    picture: Picture | None
    rows: list[NodeRow]
    problems: list[Problem]
    urls: Mapping[str, str]


def view_of(
    document: Mapping[str, Any],
    address: Address = lambda node_id: "",
    *,
    states: Mapping[str, str] | None = None,
    edges: Mapping[str, str] | None = None,
) -> GraphView:
    """Return what is to be seen of a stored graph, however broken it is."""
    problems = validate(document)
    try:
        spec = read(document)
    except GraphError:
        return GraphView(None, [], problems, {})
    urls = {node.id: address(node.id) for node in spec.nodes}
    rows = [_row(node, spec, urls[node.id]) for node in spec.nodes]
    return GraphView(draw(spec, states, edges), rows, problems, urls)


def _row(node: NodeSpec, spec: GraphSpec, url: str) -> NodeRow:
    names = {other.id: other.name or type_label(other.type) for other in spec.nodes}
    own = [edge for edge in spec.edges if edge.source == node.id]
    used = {edge.port for edge in own}
    return NodeRow(
        id=node.id,
        name=names[node.id],
        type=node.type,
        type_label=type_label(node.type),
        url=url,
        ways=[Way(edge.port, edge.condition, names.get(edge.target, edge.target)) for edge in own],
        open_ports=[port for port in ports_of(node, spec.edges) if port not in used],
    )


def as_file(document: Mapping[str, Any], name: str) -> HttpResponse:
    """Return a graph as a JSON file to keep, compare and publish elsewhere."""
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    headers = {"Content-Disposition": f'attachment; filename="{name}.json"'}
    return HttpResponse(text, content_type="application/json; charset=utf-8", headers=headers)
