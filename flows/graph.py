"""The graph of a flow: parsed, validated, and compiled for the interpreter.

A stored graph is ``{"nodes": [{"id", "type", "name", "config", "on_error", "default"}], "edges": [{"id", "source",
"port", "target", "condition"}], "layout": {...}}``. It must be a DAG with one entry. Validation says everything that
is wrong at once, naming the place and the way out; a flow with an error cannot be published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows import nodes
from flows.context import FIELDS, IMMUTABLE
from flows.nodes import Node
from flows.nodes._cel import compile_condition
from worktool_ai.lib.config import problem_text

__all__ = [
    "CompiledEdge",
    "CompiledNode",
    "EdgeSpec",
    "Graph",
    "GraphError",
    "GraphSpec",
    "NodeSpec",
    "Problem",
    "compile_graph",
    "read",
    "validate",
]

MAX_NODES = 200
ID_PATTERN = r"^[a-z][a-z0-9_-]{0,59}$"

OnError = Literal["stop", "default", "port"]


class NodeSpec(BaseModel):
    """A node as it is stored. ``on_error``: stop the run, go on with ``default`` (marked), or take the error port."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=ID_PATTERN)
    type: str
    name: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    on_error: OnError = "port"
    default: dict[str, Any] = Field(default_factory=dict)


class EdgeSpec(BaseModel):
    """An edge as it is stored: taken when its source leaves by ``port`` and its condition, if any, holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=ID_PATTERN)
    source: str
    port: str = "next"
    target: str
    condition: str = ""


class GraphSpec(BaseModel):
    """A graph as it is stored. ``layout`` is the editor's business."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nodes: tuple[NodeSpec, ...]
    edges: tuple[EdgeSpec, ...] = ()
    layout: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what, and how to mend it."""

    place: str
    problem: str
    way_out: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem} {self.way_out}"


class GraphError(ValueError):
    """A graph cannot be used; ``problems`` names every one."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class CompiledEdge:
    id: str
    source: str
    port: str
    target: str
    condition: str


@dataclass(frozen=True, slots=True)
class CompiledNode:
    """A node with its plugin built from the validated Config."""

    id: str
    type: str
    name: str
    plugin: Node
    on_error: OnError
    default: Mapping[str, Any]
    incoming: tuple[CompiledEdge, ...] = ()
    outgoing: tuple[CompiledEdge, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph ready to run: nodes in topological order (ties by their order in the document)."""

    nodes: Mapping[str, CompiledNode] = field(default_factory=dict)

    @property
    def entry(self) -> CompiledNode:
        return next(iter(self.nodes.values()))


def read(document: Mapping[str, Any]) -> GraphSpec:
    """Return a stored graph's nodes and edges, whether or not they fit each other; raises :class:`GraphError`."""
    try:
        return GraphSpec.model_validate(document)
    except ValidationError as error:
        raise GraphError([_from_pydantic("graph", item) for item in error.errors()]) from None


def validate(document: Mapping[str, Any]) -> list[Problem]:
    """Return everything that is wrong with a stored graph; empty when it can be published."""
    try:
        spec = read(document)
    except GraphError as error:
        return error.problems
    return [*_check_nodes(spec), *_check_edges(spec), *_check_shape(spec)]


def compile_graph(document: Mapping[str, Any]) -> Graph:
    """Validate and compile a stored graph; raises :class:`GraphError`."""
    problems = validate(document)
    if problems:
        raise GraphError(problems)
    spec = GraphSpec.model_validate(document)
    edges = [CompiledEdge(e.id, e.source, e.port, e.target, e.condition) for e in spec.edges]
    by_id = {node.id: node for node in spec.nodes}
    return Graph({node_id: _compile_node(by_id[node_id], edges) for node_id in _order(spec)})


def _compile_node(spec: NodeSpec, edges: list[CompiledEdge]) -> CompiledNode:
    plugin = nodes.registry.get(spec.type)
    return CompiledNode(
        id=spec.id,
        type=spec.type,
        name=spec.name or plugin.label,
        plugin=plugin(plugin.Config.load(spec.config)),
        on_error=spec.on_error,
        default=dict(spec.default),
        incoming=tuple(edge for edge in edges if edge.target == spec.id),
        outgoing=tuple(edge for edge in edges if edge.source == spec.id),
    )


def _order(spec: GraphSpec) -> list[str]:
    position = {node.id: index for index, node in enumerate(spec.nodes)}
    sorter: TopologicalSorter[str] = TopologicalSorter({node.id: set() for node in spec.nodes})
    for edge in spec.edges:
        sorter.add(edge.target, edge.source)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=position.__getitem__)
        order.extend(ready)
        sorter.done(*ready)
    return order


def _from_pydantic(place: str, item: Any) -> Problem:
    where = ".".join(str(part) for part in item["loc"])
    return Problem(f"{place} {where}".strip(), problem_text(item), "Correct this field.")


def _check_nodes(spec: GraphSpec) -> list[Problem]:
    problems: list[Problem] = []
    if len(spec.nodes) > MAX_NODES:
        problems.append(Problem("graph", f"It has {len(spec.nodes)} nodes.", f"At most {MAX_NODES} are allowed."))
    seen: set[str] = set()
    for node in spec.nodes:
        if node.id in seen:
            problems.append(Problem(f"node {node.id}", "This id is used twice.", "Give one of them another id."))
        seen.add(node.id)
        problems.extend(_check_node(node))
    return problems


def _check_node(node: NodeSpec) -> list[Problem]:
    place = f"node {node.id}"
    if node.type not in nodes.registry:
        known = ", ".join(plugin.key for plugin in nodes.registry)
        return [Problem(place, f"There is no node type {node.type!r}.", f"Known types: {known}.")]
    plugin = nodes.registry.get(node.type)
    try:
        config = plugin.Config.load(node.config)
    except ValidationError as error:
        return [_from_pydantic(place, item) for item in error.errors()]
    problems = [
        Problem(place, f"Its default value sets {name!r}.", "Only fields that nodes may write can have a default.")
        for name in node.default
        if name not in FIELDS or name in IMMUTABLE
    ]
    problems.extend(_check_conditions(place, [rule.condition for rule in getattr(config, "rules", ())]))
    return problems


def _check_conditions(place: str, conditions: list[str]) -> list[Problem]:
    problems: list[Problem] = []
    for text in conditions:
        try:
            compile_condition(text)
        except ValueError as error:
            problems.append(Problem(place, f"The condition {text!r} cannot be used: {error}", "Correct the condition."))
    return problems


def _check_edges(spec: GraphSpec) -> list[Problem]:
    problems: list[Problem] = []
    by_id = {node.id: node for node in spec.nodes}
    seen: set[str] = set()
    for edge in spec.edges:
        place = f"edge {edge.id}"
        if edge.id in seen:
            problems.append(Problem(place, "This id is used twice.", "Give one of them another id."))
        seen.add(edge.id)
        problems.extend(
            Problem(place, f"Its {end} {name!r} is no node of this flow.", "Connect it to an existing node.")
            for end, name in (("source", edge.source), ("target", edge.target))
            if name not in by_id
        )
        problems.extend(_check_port(place, edge, by_id.get(edge.source)))
        problems.extend(_check_condition(place, edge.condition))
    return problems


def _check_condition(place: str, text: str) -> list[Problem]:
    if not text:
        return []
    try:
        compile_condition(text)
    except ValueError as error:
        return [Problem(place, f"The condition {text!r} cannot be used: {error}", "Correct the condition.")]
    return []


def _check_port(place: str, edge: EdgeSpec, source: NodeSpec | None) -> list[Problem]:
    if source is None or source.type not in nodes.registry:
        return []
    plugin = nodes.registry.get(source.type)
    try:
        ports = plugin.ports_for(plugin.Config.load(source.config))
    except ValidationError:
        return []  # the node itself is reported already
    if edge.port in ports:
        return []
    known = ", ".join(ports) or "none"
    return [Problem(place, f"Node {source.id} has no way out {edge.port!r}.", f"It has: {known}.")]


def _check_shape(spec: GraphSpec) -> list[Problem]:
    """One entry, no circle, nothing that can never be reached."""
    ids = {node.id for node in spec.nodes}
    edges = [edge for edge in spec.edges if edge.source in ids and edge.target in ids]
    if not ids:
        return [Problem("graph", "It has no nodes.", "Add at least one node.")]
    try:
        _order(spec.model_copy(update={"edges": tuple(edges)}))
    except CycleError as error:
        circle = " → ".join(error.args[1])
        return [Problem("graph", f"It runs in a circle: {circle}.", "Remove one of these edges.")]
    entries = [node.id for node in spec.nodes if not any(edge.target == node.id for edge in edges)]
    if len(entries) > 1:
        names = ", ".join(entries)
        return [Problem("graph", f"These nodes have no way in: {names}.", "Connect all but the first one.")]
    return [*_check_ways_out(spec, edges), *_check_parallel_writers(spec, edges)]


def _check_ways_out(spec: GraphSpec, edges: list[EdgeSpec]) -> list[Problem]:
    """A port that a node really leaves by must lead somewhere, else the customer's line would end in nowhere."""
    problems: list[Problem] = []
    connected = {(edge.source, edge.port) for edge in edges}
    for node in spec.nodes:
        if node.type not in nodes.registry or not any(edge.source == node.id for edge in edges):
            continue
        plugin = nodes.registry.get(node.type)
        try:
            ports = plugin.ports_for(plugin.Config.load(node.config))
        except ValidationError:
            continue
        problems.extend(
            Problem(f"node {node.id}", f"Its way out {port!r} leads nowhere.", "Connect it to a node.")
            for port in ports
            if port != "error" and (node.id, port) not in connected
        )
    return problems


def _check_parallel_writers(spec: GraphSpec, edges: list[EdgeSpec]) -> list[Problem]:
    """Two nodes that can run side by side must not be of one type: they would write the same fields."""
    ancestors = _ancestors(spec, edges)
    problems = []
    for index, first in enumerate(spec.nodes):
        for second in spec.nodes[index + 1 :]:
            if first.type != second.type or first.type == "end":
                continue
            if first.id in ancestors[second.id] or second.id in ancestors[first.id]:
                continue
            if _exclusive(first.id, second.id, edges, ancestors):
                continue
            problems.append(
                Problem(
                    f"nodes {first.id}, {second.id}",
                    "They can run side by side and write the same fields.",
                    "Put one after the other, or on different ways of one decision.",
                )
            )
    return problems


def _ancestors(spec: GraphSpec, edges: list[EdgeSpec]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {node.id: set() for node in spec.nodes}
    for node_id in _order(spec.model_copy(update={"edges": tuple(edges)})):
        for edge in edges:
            if edge.target == node_id:
                found[node_id] |= {edge.source} | found[edge.source]
    return found


def _exclusive(first: str, second: str, edges: list[EdgeSpec], ancestors: Mapping[str, set[str]]) -> bool:
    """Whether some node sends a run to one of the two, but by different ports, so that never both run."""
    for source in ancestors[first] & ancestors[second]:
        ports_first = _ports_toward(source, first, edges, ancestors)
        ports_second = _ports_toward(source, second, edges, ancestors)
        if ports_first and ports_second and not ports_first & ports_second:
            return True
    return False


def _ports_toward(source: str, target: str, edges: list[EdgeSpec], ancestors: Mapping[str, set[str]]) -> set[str]:
    return {
        edge.port
        for edge in edges
        if edge.source == source and (edge.target == target or edge.target in ancestors[target])
    }
