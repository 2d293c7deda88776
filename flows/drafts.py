"""Every write to a flow's draft: the graph that is worked on, which no run sees until it is published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from flows import services
from flows.graph import GraphError, Problem, read
from flows.models import Flow, FlowVersion
from worktool_ai.accounts import audit
from worktool_ai.accounts.models import User

__all__ = ["change_node", "discard", "import_graph", "node_of", "publish", "restore"]


def node_of(flow: Flow, node_id: str) -> dict[str, Any]:
    """Return a node of the draft as it is stored; raises ``LookupError``."""
    for node in flow.draft.get("nodes", ()):
        if node.get("id") == node_id:
            return dict(node)
    raise LookupError(f"the draft of {flow.slug} has no node {node_id!r}")


@transaction.atomic
def change_node(flow: Flow, node_id: str, changes: Mapping[str, Any], *, actor: User | None) -> Flow:
    """Change what is given of a node, by the fields of :class:`~flows.graph_spec.NodeSpec`; raises ``LookupError``."""
    locked = _locked(flow)
    before = node_of(locked, node_id)
    after = {**before, **changes}
    changed = [name for name in after if (after[name] or None) != (before.get(name) or None)]
    if not changed:
        return locked
    nodes = [after if node.get("id") == node_id else node for node in locked.draft["nodes"]]
    _store(locked, {**locked.draft, "nodes": nodes})
    was, now = ({name: values.get(name) for name in changed} for values in (before, after))
    audit.record(actor, "flow.change_node", locked, {"node": node_id, **was}, {"node": node_id, **now})
    return locked


@transaction.atomic
def discard(flow: Flow, *, actor: User | None) -> None:
    """Put the active version's graph in the draft's place; an empty one where nothing was published."""
    locked = _locked(flow)
    _replace(locked, locked.active_version.graph if locked.active_version else {}, "flow.discard_draft", actor)


@transaction.atomic
def restore(version: FlowVersion, *, actor: User | None) -> None:
    """Put a version's graph in the draft's place."""
    _replace(_locked(version.flow), version.graph, "flow.restore_draft", actor, number=version.number)


@transaction.atomic
def import_graph(flow: Flow, document: Any, *, actor: User | None) -> None:
    """Put a graph from a file in the draft's place.

    It may still be incomplete; what cannot be read as a graph at all raises :class:`GraphError`.
    """
    if not isinstance(document, dict):
        raise GraphError([Problem("graph", "The file holds no graph.", "It must be an object with nodes and edges.")])
    read(document)
    _replace(_locked(flow), document, "flow.import_draft", actor)


@transaction.atomic
def publish(flow: Flow, *, actor: User | None, note: str = "") -> FlowVersion:
    """Publish the draft as it is stored now; raises :class:`GraphError`."""
    locked = _locked(flow)
    return services.publish(locked, locked.draft, actor=actor, note=note)


def _locked(flow: Flow) -> Flow:
    return Flow.objects.select_for_update(of=("self",)).select_related("active_version").get(pk=flow.pk)


def _store(flow: Flow, graph: Mapping[str, Any]) -> None:
    flow.draft = dict(graph)
    flow.save(update_fields=["draft", "updated_at"])


def _replace(flow: Flow, graph: Mapping[str, Any], action: str, actor: User | None, **told: Any) -> None:
    """A graph is too long for the audit log: what it consists of is told, and versions keep the rest."""
    before = _outline(flow.draft)
    _store(flow, graph)
    audit.record(actor, action, flow, before, {**_outline(flow.draft), **told})


def _outline(graph: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "nodes": [node.get("id") for node in graph.get("nodes", ())],
        "edges": [edge.get("id") for edge in graph.get("edges", ())],
    }
