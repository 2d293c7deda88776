"""The graph of a flow: parsed, validated, and compiled for the interpreter.

What a stored graph looks like stands in :mod:`flows.graph_spec`. It must be a DAG with one entry
(:mod:`flows.graph_shape`). Validation says everything that is wrong at once, naming the place and the way out; a flow
with an error cannot be published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from pydantic import ValidationError

from flows import nodes
from flows.context import FIELDS, IMMUTABLE
from flows.graph_shape import ancestors_of, check_shape, order
from flows.graph_spec import (
    EdgeSpec,
    GraphError,
    GraphSpec,
    NodeSpec,
    OnError,
    Problem,
    from_pydantic,
    node_place,
    read,
)
from flows.nodes import Node
from flows.nodes._cel import compile_condition
from flows.policies import NO_POLICY, Policy
from flows.tombstones import Tombstone

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
    "compile_published",
    "read",
    "validate",
]

MAX_NODES = 200


@dataclass(frozen=True, slots=True)
class CompiledEdge:
    id: str
    source: str
    port: str
    target: str
    condition: str


@dataclass(frozen=True, slots=True)
class CompiledNode:
    """A node with its plugin built from the validated Config. ``ancestors``: all from which a way leads here.

    ``main_port`` is the way out when default values stand in for its result.
    """

    id: str
    type: str
    name: str
    plugin: Node
    on_error: OnError
    default: Mapping[str, Any]
    main_port: str = ""
    policy: Policy = NO_POLICY
    ancestors: frozenset[str] = frozenset()
    incoming: tuple[CompiledEdge, ...] = ()
    outgoing: tuple[CompiledEdge, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph ready to run: nodes in topological order (ties by their order in the document)."""

    nodes: Mapping[str, CompiledNode] = field(default_factory=dict)

    @property
    def entry(self) -> CompiledNode:
        return next(iter(self.nodes.values()))


def validate(document: Mapping[str, Any]) -> list[Problem]:
    """Return everything that is wrong with a stored graph; empty when it can be published."""
    try:
        spec = read(document)
    except GraphError as error:
        return error.problems
    return [*_check_nodes(spec), *_check_edges(spec), *check_shape(spec)]


def compile_graph(document: Mapping[str, Any]) -> Graph:
    """Validate and compile a stored graph; raises :class:`GraphError`."""
    problems = validate(document)
    if problems:
        raise GraphError(problems)
    return compile_published(document)


def compile_published(document: Mapping[str, Any]) -> Graph:
    """Compile a graph that was good when it was published; raises :class:`GraphError` if it cannot be read at all.

    Runs keep their version: a node whose type has gone since stands as a :class:`Tombstone`.
    """
    spec = read(document)
    edges = [CompiledEdge(e.id, e.source, e.port, e.target, e.condition) for e in spec.edges]
    by_id = {node.id: node for node in spec.nodes}
    ancestors = ancestors_of(spec, list(spec.edges))
    return Graph(
        {node_id: _compile_node(by_id[node_id], edges, frozenset(ancestors[node_id])) for node_id in order(spec)}
    )


def _compile_node(spec: NodeSpec, edges: list[CompiledEdge], ancestors: frozenset[str]) -> CompiledNode:
    plugin = _plugin(spec)
    outgoing = tuple(edge for edge in edges if edge.source == spec.id)
    ports = [edge.port for edge in outgoing] if isinstance(plugin, Tombstone) else plugin.ports
    return CompiledNode(
        id=spec.id,
        type=spec.type,
        name=spec.name or (spec.type if isinstance(plugin, Tombstone) else plugin.label),
        plugin=plugin,
        on_error=spec.on_error,
        default=dict(spec.default),
        main_port=next((port for port in ports if port != "error"), ""),
        policy=Policy(spec.timeout_s, spec.retries, spec.retry_wait_s, spec.deadline_s),
        ancestors=ancestors,
        incoming=tuple(edge for edge in edges if edge.target == spec.id),
        outgoing=outgoing,
    )


def _plugin(spec: NodeSpec) -> Node:
    if spec.type not in nodes.registry:
        return Tombstone(f"the node type {spec.type!r} has been removed; the version of the flow still names it")
    plugin = nodes.registry.get(spec.type)
    try:
        return plugin(plugin.Config.load(spec.config))
    except ValidationError as error:
        problems = "; ".join(str(from_pydantic("setting", item)) for item in error.errors())
        return Tombstone(f"the node type {spec.type!r} cannot read the settings of this version any more: {problems}")


def _check_nodes(spec: GraphSpec) -> list[Problem]:
    problems: list[Problem] = []
    if len(spec.nodes) > MAX_NODES:
        problems.append(_too_many(len(spec.nodes)))
    seen: set[str] = set()
    for node in spec.nodes:
        if node.id in seen:
            problems.append(_used_twice(node_place(node.id)))
        seen.add(node.id)
        problems.extend(_check_node(node))
    return problems


def _check_node(node: NodeSpec) -> list[Problem]:
    place = node_place(node.id)
    if node.type not in nodes.registry:
        known = ", ".join(plugin.key for plugin in nodes.registry)
        return [
            Problem(
                place,
                _("There is no node type “%(type)s”.") % {"type": node.type},
                _("Known types: %(known)s.") % {"known": known},
            )
        ]
    plugin = nodes.registry.get(node.type)
    try:
        config = plugin.Config.load(node.config)
    except ValidationError as error:
        return [from_pydantic(place, item) for item in error.errors()]
    problems = [
        Problem(
            place,
            _("Its default value sets “%(name)s”.") % {"name": name},
            _("Only fields that nodes may write can have a default."),
        )
        for name in node.default
        if name not in FIELDS or name in IMMUTABLE
    ]
    problems.extend(_check_conditions(place, [rule.condition for rule in getattr(config, "rules", ())]))
    problems.extend(_check_policy(place, node))
    return problems


def _check_policy(place: str, node: NodeSpec) -> list[Problem]:
    if not node.deadline_s or node.deadline_s >= node.timeout_s:
        return []
    problem = _("Its deadline (%(deadline)g s) ends before one attempt may (%(timeout)g s).") % {
        "deadline": node.deadline_s,
        "timeout": node.timeout_s,
    }
    return [Problem(place, problem, _("Make the deadline longer, or the time limit shorter."))]


def _check_conditions(place: str, conditions: list[str]) -> list[Problem]:
    problems: list[Problem] = []
    for text in conditions:
        try:
            compile_condition(text)
        except ValueError as error:
            problems.append(_unusable(place, text, error))
    return problems


def _check_edges(spec: GraphSpec) -> list[Problem]:
    problems: list[Problem] = []
    by_id = {node.id: node for node in spec.nodes}
    seen: set[str] = set()
    for edge in spec.edges:
        place = _("edge %(id)s") % {"id": edge.id}
        if edge.id in seen:
            problems.append(_used_twice(place))
        seen.add(edge.id)
        problems.extend(
            Problem(place, text % {"name": name}, _("Connect it to an existing node."))
            for text, name in (
                (_("It begins at “%(name)s”, which is no node of this flow."), edge.source),
                (_("It leads to “%(name)s”, which is no node of this flow."), edge.target),
            )
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
        return [_unusable(place, text, error)]
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
    known = ", ".join(ports) or "—"
    problem = _("Node %(id)s has no way out “%(port)s”.") % {"id": source.id, "port": edge.port}
    return [Problem(place, problem, _("It has: %(known)s.") % {"known": known})]


def _too_many(number: int) -> Problem:
    problem = _("It has %(number)s nodes.") % {"number": number}
    return Problem(_("graph"), problem, _("At most %(most)s are allowed.") % {"most": MAX_NODES})


def _used_twice(place: str) -> Problem:
    return Problem(place, _("This id is used twice."), _("Give one of them another id."))


def _unusable(place: str, text: str, error: ValueError) -> Problem:
    problem = _("The condition “%(text)s” cannot be used: %(error)s") % {"text": text, "error": error}
    return Problem(place, problem, _("Correct the condition."))
