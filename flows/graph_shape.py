"""The shape of a graph: its order, who comes before whom, and what is wrong with the way its edges run."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from django.utils.translation import gettext as _
from pydantic import ValidationError

from flows import nodes
from flows.graph_spec import EdgeSpec, GraphSpec, Problem, node_place

__all__ = ["ancestors_of", "check_shape", "order"]


def order(spec: GraphSpec) -> list[str]:
    """Return the nodes in topological order, ties by their order in the document; raises ``CycleError``."""
    position = {node.id: index for index, node in enumerate(spec.nodes)}
    sorter: TopologicalSorter[str] = TopologicalSorter({node.id: set() for node in spec.nodes})
    for edge in spec.edges:
        sorter.add(edge.target, edge.source)
    sorter.prepare()
    found: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=position.__getitem__)
        found.extend(ready)
        sorter.done(*ready)
    return found


def check_shape(spec: GraphSpec) -> list[Problem]:
    """One entry, no circle, nothing that can never be reached."""
    ids = {node.id for node in spec.nodes}
    edges = [edge for edge in spec.edges if edge.source in ids and edge.target in ids]
    if not ids:
        return [Problem(_("graph"), _("It has no nodes."), _("Add at least one node."))]
    try:
        order(spec.model_copy(update={"edges": tuple(edges)}))
    except CycleError as error:
        circle = " → ".join(error.args[1])
        problem = _("It runs in a circle: %(circle)s.") % {"circle": circle}
        return [Problem(_("graph"), problem, _("Remove one of these edges."))]
    entries = [node.id for node in spec.nodes if not any(edge.target == node.id for edge in edges)]
    if len(entries) > 1:
        names = ", ".join(entries)
        problem = _("These nodes have no way in: %(names)s.") % {"names": names}
        return [Problem(_("graph"), problem, _("Connect all but the first one."))]
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
            Problem(
                node_place(node.id),
                _("Its way out “%(port)s” leads nowhere.") % {"port": port},
                _("Connect it to a node."),
            )
            for port in ports
            if port != "error" and (node.id, port) not in connected
        )
    return problems


def _check_parallel_writers(spec: GraphSpec, edges: list[EdgeSpec]) -> list[Problem]:
    """Two nodes that can run side by side must not be of one type: they would write the same fields."""
    ancestors = ancestors_of(spec, edges)
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
                    _("nodes %(ids)s") % {"ids": f"{first.id}, {second.id}"},
                    _("They can run side by side and write the same fields."),
                    _("Put one after the other, or on different ways of one decision."),
                )
            )
    return problems


def ancestors_of(spec: GraphSpec, edges: list[EdgeSpec]) -> dict[str, set[str]]:
    """Return for each node all from which a way leads to it."""
    found: dict[str, set[str]] = {node.id: set() for node in spec.nodes}
    for node_id in order(spec.model_copy(update={"edges": tuple(edges)})):
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
