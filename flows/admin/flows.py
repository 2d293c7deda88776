"""Flows: the draft that is worked on, its nodes, publishing it, and going back to a version."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from flows import drafts
from flows.admin.graphs import as_file, view_of
from flows.admin.node_pages import node_page, node_types_page
from flows.graph import GraphError
from flows.models import Flow, Run
from robots.admin.common import person
from worktool_ai.accounts.admin_mixins import AuditedModelAdmin, display
from worktool_ai.accounts.permissions import Ability, may
from worktool_ai.lib.admin_actions import RowAction, RowActionsMixin
from worktool_ai.lib.ids import first_at

__all__ = ["FlowAdmin", "tell_problems"]

#: Of a broken graph so many problems are told at once; the page lists all.
TOLD = 8
SHOWN_VERSIONS = 20
LARGEST_FILE = 2 * 1024 * 1024


class FlowForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Flow
        fields = ("name", "slug", "description", "is_default")
        widgets: ClassVar[Any] = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 3})}

    def clean_is_default(self) -> bool:
        wanted = bool(self.cleaned_data["is_default"])
        other = Flow.objects.filter(is_default=True).exclude(pk=self.instance.pk).first()
        if wanted and other is not None:
            raise ValidationError(_("«%(flow)s» serves every robot. Switch it off there first.") % {"flow": other})
        return wanted


class PublishForm(forms.Form):
    note = forms.CharField(label=_("What changed"), required=False, max_length=200, widget=UnfoldAdminTextInputWidget())


class ImportForm(forms.Form):
    file = forms.FileField(
        label=_("Graph file (JSON)"), widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".json,application/json"})
    )

    def clean_file(self) -> Any:
        """Return the document in the file; whether it is a graph is the service's question."""
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise ValidationError(_("This file is larger than 2 MB."))
        try:
            return json.loads(file.read().decode("utf-8"))
        except ValueError as error:
            raise ValidationError(_("This file is no JSON: %(why)s") % {"why": error}) from None


@admin.register(Flow)
class FlowAdmin(RowActionsMixin, AuditedModelAdmin):
    """The draft is changed node by node or as a file; customers meet only what is published."""

    form = FlowForm
    list_display = ("name", "slug", "shown_active", "shown_draft", "runs_today", "last_published", "is_default")
    list_select_related = ("active_version",)
    search_fields = ("name", "slug", "description")
    actions_list: ClassVar[list[str]] = ["node_types"]
    change_form_outer_before_template = "flows/draft.html"
    change_form_outer_after_template = "flows/versions.html"
    row_actions = (
        RowAction("publish", _("Publish the draft"), "publish", PublishForm),
        RowAction("import_graph", _("Import as draft"), "upload_file", ImportForm),
        RowAction("discard", _("Discard the draft"), "undo"),
    )

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("flows/graph.css",)}

    # -- list ----------------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Flow]:
        since = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        rows: QuerySet[Flow] = super().get_queryset(request)
        return rows.annotate(today=Coalesce(Subquery(_runs_since(since), output_field=IntegerField()), 0))

    @display(description=_("active version"), label={"active": "success", "none": "warning"})
    def shown_active(self, flow: Flow) -> tuple[str, Any]:
        if flow.active_version is None:
            return "none", _("nothing published")
        return "active", f"v{flow.active_version.number}"

    @display(description=_("draft"), label={"same": "info", "changed": "warning"})
    def shown_draft(self, flow: Flow) -> tuple[str, Any]:
        return ("changed", _("not published yet")) if _is_changed(flow) else ("same", _("as published"))

    @display(description=_("runs today"), ordering="today")
    def runs_today(self, flow: Any) -> int:
        return int(flow.today)

    @display(description=_("last published"), ordering="active_version__published_at")
    def last_published(self, flow: Flow) -> datetime | None:
        return flow.active_version.published_at if flow.active_version else None

    @action(description=_("Node types"), icon="widgets", permissions=["view"])
    def node_types(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:flows_node_types"))

    # -- pages ---------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        guarded = self.admin_site.admin_view
        return [
            path("node-types/", guarded(partial(node_types_page, self)), name="flows_node_types"),
            path("<uuid:pk>/node/<slug:node_id>/", guarded(partial(node_page, self)), name="flows_flow_node"),
            path("<uuid:pk>/export/", guarded(self.export), name="flows_flow_export"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        flow = self.get_object(request, object_id)
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **self._shown(request, flow)}
        )

    def _shown(self, request: HttpRequest, flow: Flow | None) -> dict[str, Any]:
        if flow is None:
            return {}
        versions = flow.versions.select_related("published_by").order_by("-number")[:SHOWN_VERSIONS]
        return {
            "flow": flow,
            "graph": view_of(flow.draft, lambda node_id: reverse("admin:flows_flow_node", args=[flow.pk, node_id])),
            "is_changed": _is_changed(flow),
            "versions": versions,
            "may_edit": self.has_change_permission(request, flow),
            "may_export": may(request.user, Ability.EXPORT),
        }

    def export(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Hand the draft out as a file."""
        flow = self.get_object(request, str(pk))
        if flow is None:
            raise Http404
        if not (self.has_view_permission(request, flow) and may(request.user, Ability.EXPORT)):
            raise PermissionDenied
        return as_file(flow.draft, f"{flow.slug}-draft")

    # -- actions -------------------------------------------------------------------------------------------------------

    def offers(self, request: HttpRequest, action: RowAction, row: Flow) -> bool:
        fits = action.name == "import_graph" or _is_changed(row)
        return fits and super().offers(request, action, row)

    def publish(self, request: HttpRequest, row: Flow, inputs: dict[str, Any]) -> None:
        try:
            version = drafts.publish(row, actor=person(request), note=inputs["note"])
        except GraphError as error:
            tell_problems(self, request, _("Not published. Customers still meet the active version."), error)
        else:
            text = _("Published as version %(number)d. New lines take it; runs in flight keep theirs.")
            self.message_user(request, text % {"number": version.number})

    def import_graph(self, request: HttpRequest, row: Flow, inputs: dict[str, Any]) -> None:
        try:
            drafts.import_graph(row, inputs["file"], actor=person(request))
        except GraphError as error:
            tell_problems(self, request, _("Not imported: this file holds no graph."), error)
        else:
            self.message_user(request, _("The file is the draft now. Publish it when it is right."))

    def discard(self, request: HttpRequest, row: Flow, _inputs: dict[str, Any]) -> None:
        drafts.discard(row, actor=person(request))
        self.message_user(request, _("The draft is the active version's graph again."))


def tell_problems(model_admin: admin.ModelAdmin[Any], request: HttpRequest, text: Any, error: GraphError) -> None:
    """Say that something was refused, and each problem with its place and way out."""
    model_admin.message_user(request, text, messages.ERROR)
    for problem in error.problems[:TOLD]:
        model_admin.message_user(request, str(problem), messages.ERROR)


def _is_changed(flow: Flow) -> bool:
    return bool(flow.draft != (flow.active_version.graph if flow.active_version else {}))


def _runs_since(moment: datetime) -> QuerySet[Run, Any]:
    """Runs of a flow since a moment, counted over a range of their keys."""
    runs = Run.objects.filter(version__flow=OuterRef("pk"), pk__gte=first_at(moment)).order_by()
    return runs.values("version__flow").annotate(number=Count("pk")).values("number")
