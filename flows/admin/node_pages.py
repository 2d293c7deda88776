"""A node's page: its Config as inputs; and the page of all node types, each with the form that it brings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from flows import drafts, nodes
from flows.drawing import type_label
from flows.graph import Problem, validate
from flows.models import Flow
from flows.node_settings import DEFAULT_FIELDS, NodeSettings
from flows.nodes import Node
from robots.admin.common import person
from worktool_ai.lib.config import PluginConfig
from worktool_ai.lib.config_forms import ConfigForm, UnsupportedFieldError, config_form, document_from
from worktool_ai.lib.crypto import masked_config

__all__ = ["node_page", "node_types_page"]


class NodeForm:
    """The two forms of a node: its own settings, and its plugin's Config where the type is registered."""

    def __init__(self, node: dict[str, Any], data: Any = None) -> None:
        self.node = node
        self.plugin: type[Node] | None = nodes.registry.get(node["type"]) if node["type"] in nodes.registry else None
        self.settings = config_form(NodeSettings, data, NodeSettings.stored(node), prefix="node")
        self.config = (
            config_form(self.plugin.Config, data, node.get("config", {}), prefix="config") if self.plugin else None
        )

    def is_valid(self) -> bool:
        # both, so that every problem is shown at once
        valid = [form.is_valid() for form in (self.settings, self.config) if form is not None]
        return all(valid)

    def changes(self) -> dict[str, Any]:
        """Return what the service is to change of the node."""
        settings = NodeSettings.load(document_from(self.settings))
        kept = {name: value for name, value in self.node.get("default", {}).items() if name not in DEFAULT_FIELDS}
        changes = {**settings.changes(self.node), "default": {**kept, **settings.default()}}
        return changes if self.config is None else {**changes, "config": document_from(self.config)}

    @property
    def media(self) -> forms.Media:
        return self.settings.media if self.config is None else self.settings.media + self.config.media

    @property
    def removed_config(self) -> str:
        """The stored configuration of a node whose type is gone, for reading."""
        document = masked_config(PluginConfig, self.node.get("config", {}))
        return json.dumps(document, ensure_ascii=False, indent=2)


def node_page(model_admin: admin.ModelAdmin[Flow], request: HttpRequest, pk: Any, node_id: str) -> HttpResponse:
    """Show a node of the draft; whoever may edit flows changes it here."""
    flow = model_admin.get_object(request, str(pk))
    if flow is None:
        raise Http404
    may_edit = model_admin.has_change_permission(request, flow)
    if not (may_edit or (request.method == "GET" and model_admin.has_view_permission(request, flow))):
        raise PermissionDenied
    try:
        node = drafts.node_of(flow, node_id)
    except LookupError:
        raise Http404 from None
    form = NodeForm(node, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        changed = drafts.change_node(flow, node_id, form.changes(), actor=person(request))
        return _saved(model_admin, request, changed, node_id)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"{flow.name} · {node.get('name') or type_label(node['type'])}",
        "flow": flow,
        "node": node,
        "type_label": type_label(node["type"]),
        "does": _(form.plugin.does) if form.plugin and form.plugin.does else "",
        "form": form,
        "media": form.media,
        "may_edit": may_edit,
        "problems": _concerning(validate(flow.draft), node_id),
        "back": _flow_url(flow),
    }
    return TemplateResponse(request, "flows/node.html", context)


def _saved(model_admin: admin.ModelAdmin[Flow], request: HttpRequest, flow: Flow, node_id: str) -> HttpResponseRedirect:
    model_admin.message_user(request, _("Saved in the draft. Customers meet it once the draft is published."))
    for problem in _concerning(validate(flow.draft), node_id):
        model_admin.message_user(request, str(problem), messages.WARNING)
    here = reverse("admin:flows_flow_node", args=[flow.pk, node_id])
    return HttpResponseRedirect(here if "_continue" in request.POST else _flow_url(flow))


def _flow_url(flow: Flow) -> str:
    return reverse("admin:flows_flow_change", args=[flow.pk])


def _concerning(problems: list[Problem], node_id: str) -> list[Problem]:
    """Keep what a node's page should say: what is wrong at this node."""
    return [one for one in problems if one.place == f"node {node_id}" or one.place.startswith(f"node {node_id} ")]


@dataclass(frozen=True, slots=True)
class NodeType:
    """A registered node type with the form that it brings; ``problem`` in place of a form that cannot be built."""

    key: str
    label: str
    does: str
    ports: tuple[str, ...]
    form: ConfigForm | None
    problem: str


def node_types_page(model_admin: admin.ModelAdmin[Flow], request: HttpRequest) -> HttpResponse:
    """List every registered node type, those of a deployment's own folders too."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Node types"),
        "types": [_node_type(plugin) for plugin in nodes.registry],
        "back": reverse("admin:flows_flow_changelist"),
    }
    return TemplateResponse(request, "flows/node_types.html", context)


def _node_type(plugin: type[Node]) -> NodeType:
    form, problem = None, ""
    try:
        form = config_form(plugin.Config, prefix=plugin.key)
    except (UnsupportedFieldError, LookupError) as error:
        problem = str(error)
    return NodeType(plugin.key, str(plugin.label), _(plugin.does) if plugin.does else "", plugin.ports, form, problem)
